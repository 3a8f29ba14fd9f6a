//! The macro that makes two tests of one case.

/// Makes of each function two tests, `name::sqlite` and `name::postgres`, and records each that passes.
///
/// The function takes the [`Database`](crate::Database) to run on. An `async` one runs on tokio, which the calling crate
/// must have among its dependencies (`macros`, `rt-multi-thread`).
///
/// ```
/// parlance_testkit::both_databases! {
///     fn a_fresh_database_opens(database) {
///         let fresh = database.fresh();
///         // Open the store on `fresh`, act, assert.
///         # drop(fresh);
///     }
/// }
/// ```
#[macro_export]
macro_rules! both_databases {
    () => {};
    ($(#[$meta:meta])* fn $name:ident($database:ident) $body:block $($rest:tt)*) => {
        $(#[$meta])*
        #[cfg(test)]
        fn $name($database: $crate::Database) $body

        #[cfg(test)]
        mod $name {
            #[test]
            fn sqlite() {
                super::$name($crate::Database::Sqlite);
                $crate::record_case($crate::Database::Sqlite, $crate::case_name!());
            }

            #[test]
            fn postgres() {
                super::$name($crate::Database::Postgres);
                $crate::record_case($crate::Database::Postgres, $crate::case_name!());
            }
        }

        $crate::both_databases! { $($rest)* }
    };
    ($(#[$meta:meta])* async fn $name:ident($database:ident) $body:block $($rest:tt)*) => {
        $(#[$meta])*
        #[cfg(test)]
        async fn $name($database: $crate::Database) $body

        #[cfg(test)]
        mod $name {
            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::Database::Sqlite).await;
                $crate::record_case($crate::Database::Sqlite, $crate::case_name!());
            }

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::Database::Postgres).await;
                $crate::record_case($crate::Database::Postgres, $crate::case_name!());
            }
        }

        $crate::both_databases! { $($rest)* }
    };
}

/// The name of the case in whose module it stands: package and path, so that no two are alike.
#[doc(hidden)]
#[macro_export]
macro_rules! case_name {
    () => {
        concat!(env!("CARGO_PKG_NAME"), "/", module_path!())
    };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    static SEEN: AtomicU8 = AtomicU8::new(0);

    both_databases! {
        /// One bit a database: a second run on the same one would find its bit set.
        fn each_database_is_visited_once(database) {
            let bit = 1 << (database as u8);
            assert_eq!(SEEN.fetch_or(bit, Ordering::SeqCst) & bit, 0, "{database:?} came twice");
        }

        async fn an_async_case_runs_on_tokio(database) {
            tokio::task::yield_now().await;
            assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), 2, "{database:?}");
        }
    }
}
