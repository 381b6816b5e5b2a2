//! The object store behind blocking calls. The only module that knows which kind of store it is.

use super::error::LakeError;
use bytes::Bytes;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::{Handle, RuntimeFlavor};
use url::Url;

/// Pieces of a streamed file: S3 asks for at least 5 MiB in all but the last.
const UPLOAD_PIECE_BYTES: usize = 8 << 20;

/// The Delta library's way to files.
pub(crate) type Engine = DefaultEngine<TokioMultiThreadExecutor>;

/// An object store and the place of the lake in it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    objects: Arc<dyn ObjectStore>,
    base: StorePath,
    root: Arc<PathBuf>,
    root_url: Url,
}

impl Store {
    /// A local directory.
    pub(crate) fn local(root: &Path) -> Result<Self, LakeError> {
        let failed = |source| LakeError::Root { path: root.display().to_string(), source };
        std::fs::create_dir_all(root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let strange = || failed(io::Error::new(io::ErrorKind::InvalidInput, "not an absolute path in UTF-8"));
        let base = StorePath::from_absolute_path(&root).map_err(|_| strange())?;
        let root_url = Url::from_directory_path(&root).map_err(|()| strange())?;
        let objects = Arc::new(LocalFileSystem::new().with_fsync(true));
        Ok(Self { objects, base, root: Arc::new(root), root_url })
    }

    /// The path as a person or another engine uses it.
    pub(crate) fn display(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    fn key(&self, path: &str) -> StorePath {
        path.split('/').filter(|part| !part.is_empty()).fold(self.base.clone(), |key, part| key.join(part))
    }
}

/// A file of a directory.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

/// Whether a file of that name was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    New,
    Exists,
}

/// Blocking access to the lake's files by paths relative to its root. To be used on blocking threads only.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    store: Store,
    handle: Handle,
}

impl Files {
    pub(crate) fn new(store: Store, handle: Handle) -> Result<Self, LakeError> {
        if handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Err(LakeError::Runtime);
        }
        Ok(Self { store, handle })
    }

    /// What the Delta library reads and writes through. Its default executor hangs when a checkpoint is written; this one does not.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        let executor = Arc::new(TokioMultiThreadExecutor::new(self.handle.clone()));
        Arc::new(
            DefaultEngineBuilder::new(Arc::clone(&self.store.objects)).with_task_executor(executor).build(),
        )
    }

    /// The URL of a file or (with a slash at its end) directory.
    pub(crate) fn url(&self, path: &str) -> Result<Url, LakeError> {
        self.store.root_url.join(path).map_err(|_| LakeError::Name { what: "file", name: path.to_owned() })
    }

    pub(crate) fn display(&self, path: &str) -> String {
        self.store.display(path)
    }

    /// The files directly in a directory; none when it is missing.
    pub(crate) fn list(&self, dir: &str) -> Result<Vec<Listed>, LakeError> {
        let listed = self.handle.block_on(self.store.objects.list_with_delimiter(Some(&self.store.key(dir))));
        let objects = match listed {
            Ok(listed) => listed.objects,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(source) => return Err(self.failed("list", dir, source)),
        };
        let name = |location: &StorePath| location.filename().unwrap_or_default().to_owned();
        Ok(objects
            .into_iter()
            .map(|meta| Listed {
                name: name(&meta.location),
                size: meta.size,
                modified_ms: meta.last_modified.timestamp_millis(),
            })
            .collect())
    }

    pub(crate) fn head(&self, path: &str) -> Result<Listed, LakeError> {
        let meta = self.handle.block_on(self.store.objects.head(&self.store.key(path)));
        let meta = meta.map_err(|source| self.failed("find", path, source))?;
        Ok(Listed {
            name: path.to_owned(),
            size: meta.size,
            modified_ms: meta.last_modified.timestamp_millis(),
        })
    }

    pub(crate) fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, LakeError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let read = self.handle.block_on(self.store.objects.get_range(&self.store.key(path), range));
        read.map_err(|source| self.failed("read", path, source))
    }

    pub(crate) fn read(&self, path: &str) -> Result<Bytes, LakeError> {
        let key = self.store.key(path);
        let read = self.handle.block_on(async { self.store.objects.get(&key).await?.bytes().await });
        read.map_err(|source| self.failed("read", path, source))
    }

    /// Writes a new file whole; a file of that name stays as it is.
    pub(crate) fn create(&self, path: &str, bytes: Bytes) -> Result<Created, LakeError> {
        let key = self.store.key(path);
        let put = self.store.objects.put_opts(&key, PutPayload::from(bytes), PutMode::Create.into());
        match self.handle.block_on(put) {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Exists),
            Err(source) => Err(self.failed("write", path, source)),
        }
    }

    /// Writes a file whole, in the place of an earlier one of that name.
    pub(crate) fn overwrite(&self, path: &str, bytes: Bytes) -> Result<(), LakeError> {
        let put =
            self.handle.block_on(self.store.objects.put(&self.store.key(path), PutPayload::from(bytes)));
        put.map(drop).map_err(|source| self.failed("write", path, source))
    }

    /// Starts a file that is written piece by piece and appears, whole, on [`Upload::complete`].
    pub(crate) fn upload(&self, path: &str) -> Result<Upload, LakeError> {
        let upload = self.handle.block_on(self.store.objects.put_multipart(&self.store.key(path)));
        let upload = upload.map_err(|source| self.failed("write", path, source))?;
        Ok(Upload { upload, handle: self.handle.clone(), pending: Vec::new(), completed: false })
    }

    /// Deletes files of a directory; one that is missing already is no error. Returns how many went.
    pub(crate) fn delete(&self, dir: &str, names: Vec<String>) -> Result<u64, LakeError> {
        let keys: Vec<_> = names.iter().map(|name| Ok(self.store.key(&format!("{dir}/{name}")))).collect();
        let deleted = self.store.objects.delete_stream(futures_util::stream::iter(keys).boxed());
        let mut deleted = deleted.map(|result| match result {
            Ok(_) => Ok(1_u64),
            Err(object_store::Error::NotFound { .. }) => Ok(0),
            Err(source) => Err(source),
        });
        let count = self.handle.block_on(async {
            let mut count = 0;
            while let Some(one) = deleted.try_next().await? {
                count += one;
            }
            Ok(count)
        });
        count.map_err(|source| self.failed("delete files of", dir, source))
    }

    /// Removes what a crash left of half-written files; the store itself never lists them. Only local directories have any.
    pub(crate) fn remove_staging(&self, dir: &str) -> Result<u64, LakeError> {
        let path = self.store.root.join(dir);
        let failed = |source| LakeError::Root { path: path.display().to_string(), source };
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(failed(error)),
        };
        let mut count = 0;
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if is_staging(&entry.file_name().to_string_lossy()) {
                std::fs::remove_file(entry.path()).map_err(failed)?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn failed(&self, action: &'static str, path: &str, source: object_store::Error) -> LakeError {
        LakeError::Storage { action, path: self.display(path), source }
    }
}

/// `LocalFileSystem` writes to `<name>#<n>` and renames.
fn is_staging(name: &str) -> bool {
    let suffix = name.rsplit_once('#').map(|(_, suffix)| suffix);
    suffix.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A file on its way into the store; dropped before [`Upload::complete`] it leaves nothing.
pub(crate) struct Upload {
    upload: Box<dyn MultipartUpload>,
    handle: Handle,
    pending: Vec<u8>,
    completed: bool,
}

impl Upload {
    /// Makes the file durable and visible under its name.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        self.send_pending()?;
        self.handle.block_on(self.upload.complete()).map_err(io::Error::other)?;
        self.completed = true;
        Ok(())
    }

    fn send_pending(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.pending);
        self.handle.block_on(self.upload.put_part(PutPayload::from(piece))).map_err(io::Error::other)
    }
}

impl io::Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= UPLOAD_PIECE_BYTES {
            self.send_pending()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.completed
            && let Err(error) = self.handle.block_on(self.upload.abort())
        {
            tracing::warn!(%error, "an unfinished file of the lake could not be taken back; the next sweep removes it");
        }
    }
}
