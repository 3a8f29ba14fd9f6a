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
    pub(crate) fn start(url: &str) -> Result<Self> {
        let (queue, commands) = channel();
        let commands = Arc::new(Mutex::new(commands));
        for number in 0..POOL {
            let (connection, commands) = (Reconnecting::for_reading(url), Arc::clone(&commands));
            Builder::new()
                .name(format!("postgres-reader-{number}"))
                .spawn(move || serve(connection, &commands))
                .map_err(Error::internal)?;
        }
        Ok(Self(queue))
    }

    pub(crate) fn submit(&self, command: Box<dyn Command>) {
        let _ = self.0.send(command);
    }
}

fn serve(mut connection: Reconnecting, commands: &Mutex<Receiver<Box<dyn Command>>>) {
    loop {
        let next = commands.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut command) = next else { return };
        if command.is_abandoned() {
            continue;
        }
        let mut outcome = read(&mut connection, command.as_mut());
        // A connection that broke while idle says so only now; reading again changes nothing.
        if outcome.as_ref().err().or_else(|| command.error()).is_some_and(|cause| [LOST, STALE].contains(&cause.code())) {
            connection.forget();
            outcome = read(&mut connection, command.as_mut());
        }
        command.answer(outcome.err());
    }
}

fn read(connection: &mut Reconnecting, command: &mut dyn Command) -> Result<()> {
    let (client, statements) = connection.get()?.split();
    let mut transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().map_err(stale)?;
    command.run(&mut Tx::Postgres(PostgresTx::new(&mut transaction, statements)));
    // Nothing was written; ending the transaction is all there is to do.
    transaction.rollback().map_err(error)
}
