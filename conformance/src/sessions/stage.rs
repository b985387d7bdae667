//! A registrar and a user in this process, and elements in processes of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rserpool_core::base::ElementId;
use rserpool_driver::vocabulary::{PoolState, Preset};
use rserpool_tokio::{PoolUser, Registrar};

use super::Error;
use super::element::POOL;

/// Names of the files of records.
static RECORDS: AtomicU32 = AtomicU32::new(0);

pub(super) struct Stage {
    registrar: Registrar,
    pub(super) user: PoolUser,
    elements: BTreeMap<ElementId, Child>,
    last: u32,
    record: PathBuf,
}

impl Stage {
    pub(super) async fn new(elements: usize) -> Result<Self, Error> {
        let local = "127.0.0.1:0".parse()?;
        let registrar = Registrar::builder().bind(local).preset(Preset::Fast).start().await?;
        let user = PoolUser::builder().registrar(registrar.local_addr()).bind(local);
        let user = user.preset(Preset::Fast).start().await?;
        let number = RECORDS.fetch_add(1, Ordering::Relaxed);
        let record = std::env::temp_dir().join(format!("rserpool-sessions-{}-{number}", std::process::id()));
        let mut stage = Self { registrar, user, elements: BTreeMap::new(), last: 0, record };
        for _ in 0..elements {
            stage.start()?;
        }
        stage.ready().await?;
        Ok(stage)
    }

    /// Starts another element.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        self.last += 1;
        let element = Command::new(std::env::current_exe()?)
            .args(["sessions-element", &self.registrar.local_addr().to_string(), &self.last.to_string()])
            .arg(&self.record)
            .stdin(Stdio::null())
            .spawn()?;
        self.elements.insert(ElementId(self.last), element);
        Ok(())
    }

    /// Waits until all elements that run are in the pool.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        let mut pool = self.user.watch(POOL).await?;
        while let Some(state) = pool.changed().await {
            if matches!(&state, PoolState::Elements(now) if now.elements.len() >= self.elements.len()) {
                return Ok(());
            }
        }
        Err("the user has ended".into())
    }

    /// Kills an element with SIGKILL; false if it does not run.
    pub(super) fn kill(&mut self, id: ElementId) -> Result<bool, Error> {
        let Some(mut element) = self.elements.remove(&id) else { return Ok(false) };
        element.kill()?;
        element.wait()?;
        Ok(true)
    }

    /// The process of an element.
    pub(super) fn process(&self, id: ElementId) -> Option<u32> {
        self.elements.get(&id).map(Child::id)
    }

    /// The numbers of the calls that were carried out.
    pub(super) fn record(&self) -> Result<Vec<u64>, Error> {
        let octets = std::fs::read(&self.record)?;
        let (numbers, _) = octets.as_chunks();
        Ok(numbers.iter().map(|number| u64::from_be_bytes(*number)).collect())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for element in self.elements.values_mut() {
            let _ = element.kill();
            let _ = element.wait();
        }
        let _ = std::fs::remove_file(&self.record);
    }
}
