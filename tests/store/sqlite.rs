//! The SQLite store keeps every promise of a store.

use heliograph::store::Writer;
use heliograph::store::sqlite::SqliteStore;
use tempfile::TempDir;

use crate::conformance::{self, Backend, for_each_promise};

struct SqliteFile(TempDir);

impl Backend for SqliteFile {
    fn open(&self) -> Box<dyn Writer> {
        Box::new(SqliteStore::open(self.0.path().join("store.db")).expect("a store"))
    }
}

macro_rules! on_sqlite {
    ($($promise:ident,)*) => {
        $(#[test]
        fn $promise() {
            conformance::$promise(|| SqliteFile(TempDir::new().expect("a directory")));
        })*
    };
}

for_each_promise!(on_sqlite);
