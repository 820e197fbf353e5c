//! A disk in memory that fails when told to, and that forgets at a power failure what was not synced.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

const SECTOR: usize = 512;

#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    synced: Vec<u8>,
    current: Vec<u8>,
    unsynced: Vec<Change>,
    /// Changes that still succeed; then all fail until it is set again.
    budget: Option<u32>,
}

#[derive(Debug)]
enum Change {
    Length(usize),
    Sector { offset: usize, data: Vec<u8> },
}

impl Disk {
    /// Lets some more changes succeed and fails all further ones; `None` for a healthy disk.
    pub(crate) fn allow(&self, changes: Option<u32>) {
        self.state().budget = changes;
    }

    /// Cuts the power: of what was not synced, some sectors reach the disk and others do not.
    pub(crate) fn cut_power(&self, mut reaches: impl FnMut() -> bool) {
        let mut state = self.state();
        for change in std::mem::take(&mut state.unsynced) {
            if reaches() {
                apply(&mut state.synced, &change);
            }
        }
        state.current = state.synced.clone();
        state.budget = None;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apply(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => image.resize(*length, 0),
        Change::Sector { offset, data } => {
            if image.len() < offset + data.len() {
                image.resize(offset + data.len(), 0);
            }
            image[*offset..offset + data.len()].copy_from_slice(data);
        }
    }
}

impl State {
    fn spend(&mut self) -> io::Result<()> {
        match &mut self.budget {
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(budget) => {
                *budget -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.current, &change);
        self.unsynced.push(change);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let start = usize::try_from(offset).unwrap();
        let found = state
            .current
            .get(start..start + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        state.change(Change::Length(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        state.synced = state.current.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        let mut offset = usize::try_from(offset).unwrap();
        let mut rest = data;
        while !rest.is_empty() {
            let (sector, after) = rest.split_at(rest.len().min(SECTOR - offset % SECTOR));
            state.change(Change::Sector {
                offset,
                data: sector.to_vec(),
            });
            offset += sector.len();
            rest = after;
        }
        Ok(())
    }
}
