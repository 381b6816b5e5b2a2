//! Room for parts that the relay has not acknowledged, shared by all runs.

use std::sync::Arc;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The budget is counted in units of this many bytes, so that it fits a semaphore's counter.
const BUDGET_UNIT_BYTES: usize = 4 << 10;

/// Bytes that may be unacknowledged, over all runs.
#[derive(Clone)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    units: u32,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes / BUDGET_UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        Self { room: Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(1))), units }
    }

    /// Bytes that are unacknowledged now.
    pub(crate) fn used_bytes(&self) -> u64 {
        let free = self.room.available_permits();
        let used = usize::try_from(self.units).unwrap_or(usize::MAX).saturating_sub(free);
        u64::try_from(used.saturating_mul(BUDGET_UNIT_BYTES)).unwrap_or(u64::MAX)
    }

    /// Waits for room; a part larger than the whole budget waits for all of it.
    pub(super) async fn acquire(self, bytes: usize) -> Result<OwnedSemaphorePermit, AcquireError> {
        let units = u32::try_from(bytes.div_ceil(BUDGET_UNIT_BYTES)).unwrap_or(u32::MAX).clamp(1, self.units);
        self.room.acquire_many_owned(units).await
    }
}
