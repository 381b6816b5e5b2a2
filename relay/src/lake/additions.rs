//! The files that a commit adds, as the kernel wants them described. The kernel's helper describes one file in a record batch of
//! its own, some two hundred arrays of one row; the rows of many files joined in one batch need a fraction of that memory.

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use delta_kernel::engine::arrow_data::{ArrowEngineData, EngineDataArrowExt};
use delta_kernel::{EngineData, KernelError};

/// Descriptions are joined when so many wait.
const JOINED: usize = 64;

/// Descriptions of added files, joined where their statistics have the same columns.
#[derive(Default)]
pub(super) struct Additions {
    joined: Vec<RecordBatch>,
    waiting: Vec<RecordBatch>,
}

impl Additions {
    /// One more file.
    pub(super) fn push(&mut self, described: Box<dyn EngineData>) -> Result<(), KernelError> {
        let described = described.try_into_record_batch()?;
        let fits = self.waiting.first().is_none_or(|first| first.schema() == described.schema());
        if !fits || self.waiting.len() == JOINED {
            self.join()?;
        }
        self.waiting.push(described);
        Ok(())
    }

    /// All of them, in order.
    pub(super) fn finish(mut self) -> Result<impl Iterator<Item = Box<dyn EngineData>>, KernelError> {
        self.join()?;
        let boxed = |batch| -> Box<dyn EngineData> { Box::new(ArrowEngineData::new(batch)) };
        Ok(self.joined.into_iter().map(boxed))
    }

    fn join(&mut self) -> Result<(), KernelError> {
        let Some(first) = self.waiting.first() else { return Ok(()) };
        let joined = concat_batches(&first.schema(), &self.waiting);
        self.joined.push(joined.map_err(|error| KernelError::generic(error.to_string()))?);
        self.waiting.clear();
        Ok(())
    }
}
