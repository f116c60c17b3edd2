// Writes and syncs that the kernel carries out while the caller goes on: Linux AIO (io_submit(2),
// through libaio), which is asynchronous for O_DIRECT on a block device's file system. Not
// io_uring: older, but on each kernel that a device may run, and in no container's list of
// forbidden calls.
//
// A process that dies keeps its locks until its requests have ended (exit_aio comes before
// exit_files): none lands in a spool that somebody else has opened since.
//
// Why at all: a thread that writes in the caller's place waits for a processor while clips are
// being hashed on all of them, half a millisecond a clip on two cores.
#pragma once

#include <libaio.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "edge/spool/block_device.h"

namespace gleaner::edge {

// Thread-safe. Outlives its requests.
class KernelAio {
 public:
  // Without AIO, when the kernel has none or its room (fs.aio-max-nr) is used up.
  KernelAio();
  ~KernelAio();
  KernelAio(const KernelAio&) = delete;
  KernelAio& operator=(const KernelAio&) = delete;

  // Null when the kernel can't take it: the caller writes or syncs by itself. `path` is what errors
  // call the file.
  std::unique_ptr<PendingIo> StartWrite(int fd, const std::string& path, uint64_t offset,
                                        std::span<const uint8_t> data);
  std::unique_ptr<PendingIo> StartSync(int fd, const std::string& path);

 private:
  class Request;
  std::unique_ptr<PendingIo> Submit(std::unique_ptr<Request> request);
  // Takes events off the kernel's queue, of all requests; waits for at least `count` of them.
  void Reap(int count);

  io_context_t context_ = nullptr;
  // Whoever holds it reaps for all; the others find that theirs has ended when they get it.
  std::mutex mutex_;
};

}  // namespace gleaner::edge
