//! The reader pool: repeatable-read, read-only transactions on threads of their own.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use parlance_model::{Error, Result};
use postgres::IsolationLevel;

use super::{LOST, PostgresTx, Reconnecting, STALE, error, stale};
use crate::db::Tx;
use crate::db::command::Command;

/// Threads, and so connections, of the pool.
const POOL: usize = 4;

/// The readers of one store.
pub(crate) struct Readers(Sender<Box<dyn Command>>);

impl Readers {
    /// Starts the threads. With a snapshot, which another connection has exported and holds, every read sees its moment.
    pub(crate) fn at(url: &str, snapshot: Option<&str>) -> Result<Self> {
        // Its name comes from PostgreSQL itself, and has digits, letters and hyphens only.
        let begin = snapshot.map(|name| format!("SET TRANSACTION SNAPSHOT '{name}'"));
        let (queue, commands) = channel();
        let commands = Arc::new(Mutex::new(commands));
        for number in 0..POOL {
            let (connection, commands, begin) = (Reconnecting::for_reading(url), Arc::clone(&commands), begin.clone());
            Builder::new()
                .name(format!("postgres-reader-{number}"))
                .spawn(move || serve(connection, &commands, begin.as_deref()))
                .map_err(Error::internal)?;
        }
        Ok(Self(queue))
    }

    pub(crate) fn submit(&self, command: Box<dyn Command>) {
        let _ = self.0.send(command);
    }
}

fn serve(mut connection: Reconnecting, commands: &Mutex<Receiver<Box<dyn Command>>>, begin: Option<&str>) {
    loop {
        let next = commands.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut command) = next else { return };
        if command.is_abandoned() {
            continue;
        }
        let mut outcome = read(&mut connection, command.as_mut(), begin);
        // A connection that broke while idle says so only now; reading again changes nothing.
        if outcome.as_ref().err().or_else(|| command.error()).is_some_and(|cause| [LOST, STALE].contains(&cause.code())) {
            connection.forget();
            outcome = read(&mut connection, command.as_mut(), begin);
        }
        command.answer(outcome.err());
    }
}

fn read(connection: &mut Reconnecting, command: &mut dyn Command, begin: Option<&str>) -> Result<()> {
    let (client, statements) = connection.get()?.split();
    let mut transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().map_err(stale)?;
    if let Some(begin) = begin {
        transaction.batch_execute(begin).map_err(error)?;
    }
    command.run(&mut Tx::Postgres(PostgresTx::new(&mut transaction, statements)));
    // Nothing was written; ending the transaction is all there is to do.
    transaction.rollback().map_err(error)
}
