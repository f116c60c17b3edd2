#include "tests/edge/spool/fault_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstdlib>

namespace gleaner::edge {
namespace {

std::atomic<int> g_in = 0, g_times = 0, g_failed = 0;

// What SQLite sees; the default VFS's own file follows it in memory.
struct File {
  sqlite3_file base;
  bool is_log;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
File* Own(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return Own(file)->real(); }

int Sync(sqlite3_file* file, int flags) {
  if (Own(file)->is_log && g_times > 0 && (g_in == 0 || --g_in == 0)) {
    --g_times;
    ++g_failed;
    return SQLITE_IOERR_FSYNC;
  }
  return Real(file)->pMethods->xSync(Real(file), flags);
}

const sqlite3_io_methods kMethods = {
    .iVersion = 3,
    .xClose = [](sqlite3_file* f) { return Real(f)->pMethods->xClose(Real(f)); },
    .xRead = [](sqlite3_file* f, void* p, int n,
                sqlite3_int64 at) { return Real(f)->pMethods->xRead(Real(f), p, n, at); },
    .xWrite = [](sqlite3_file* f, const void* p, int n,
                 sqlite3_int64 at) { return Real(f)->pMethods->xWrite(Real(f), p, n, at); },
    .xTruncate = [](sqlite3_file* f,
                    sqlite3_int64 n) { return Real(f)->pMethods->xTruncate(Real(f), n); },
    .xSync = Sync,
    .xFileSize = [](sqlite3_file* f,
                    sqlite3_int64* n) { return Real(f)->pMethods->xFileSize(Real(f), n); },
    .xLock = [](sqlite3_file* f, int l) { return Real(f)->pMethods->xLock(Real(f), l); },
    .xUnlock = [](sqlite3_file* f, int l) { return Real(f)->pMethods->xUnlock(Real(f), l); },
    .xCheckReservedLock = [](sqlite3_file* f,
                             int* r) { return Real(f)->pMethods->xCheckReservedLock(Real(f), r); },
    .xFileControl = [](sqlite3_file* f, int op,
                       void* p) { return Real(f)->pMethods->xFileControl(Real(f), op, p); },
    .xSectorSize = [](sqlite3_file* f) { return Real(f)->pMethods->xSectorSize(Real(f)); },
    .xDeviceCharacteristics =
        [](sqlite3_file* f) { return Real(f)->pMethods->xDeviceCharacteristics(Real(f)); },
    .xShmMap =
        [](sqlite3_file* f, int page, int size, int extend, void volatile** p) {
          return Real(f)->pMethods->xShmMap(Real(f), page, size, extend, p);
        },
    .xShmLock = [](sqlite3_file* f, int at, int n,
                   int flags) { return Real(f)->pMethods->xShmLock(Real(f), at, n, flags); },
    .xShmBarrier = [](sqlite3_file* f) { Real(f)->pMethods->xShmBarrier(Real(f)); },
    .xShmUnmap = [](sqlite3_file* f,
                    int remove) { return Real(f)->pMethods->xShmUnmap(Real(f), remove); },
    .xFetch = [](sqlite3_file* f, sqlite3_int64 at, int n,
                 void** p) { return Real(f)->pMethods->xFetch(Real(f), at, n, p); },
    .xUnfetch = [](sqlite3_file* f, sqlite3_int64 at,
                   void* p) { return Real(f)->pMethods->xUnfetch(Real(f), at, p); },
};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* below = static_cast<sqlite3_vfs*>(vfs->pAppData);
  const int rc = below->xOpen(below, name, Real(file), flags, out_flags);
  Own(file)->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  file->pMethods = Real(file)->pMethods == nullptr ? nullptr : &kMethods;
  return rc;
}

}  // namespace

std::string FaultVfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs* below = sqlite3_vfs_find(nullptr);
    sqlite3_vfs copy = *below;
    copy.zName = "gleaner-fault";
    copy.szOsFile = static_cast<int>(sizeof(File)) + below->szOsFile;
    copy.pAppData = below;
    copy.xOpen = Open;
    return copy;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  if (registered != SQLITE_OK) std::abort();
  return vfs.zName;
}

void FailLogSyncs(int in, int times) {
  g_in = in;
  g_times = times;
  g_failed = 0;
}

int FailedLogSyncs() { return g_failed; }

}  // namespace gleaner::edge
