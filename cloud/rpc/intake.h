// What has come over one connection, against what calls have been given of it: the rest is on its
// way to a call, lies unread, or is *stray*: it belongs to no message, and to none that will be.
//
// HTTP/2 bounds by its windows what of a call's messages may come before they are asked for, and
// nothing else: not what a block of headers may hold, nor how many frames of other kinds there are.
// gRPC 1.51 bounds these neither (CVE-2023-33953). It tells nobody of frames; but the kernel tells
// how many bytes it was given, and its interceptors, which messages came of them.
#pragma once

#include <atomic>
#include <cstdint>

namespace gleaner::cloud {

class Intake {
 public:
  // --- of its calls; from any thread

  // A call has begun.
  void NoteCall() { given_ += kCallBytes; }
  // A call was given a message.
  void NoteMessage(uint64_t bytes) {
    given_ += bytes + bytes / kOverheadShare + kMessageBytes;
    ++messages_;
  }
  // A call doesn't wait for its next message, so that whole ones may lie unread; and it does again,
  // or is over.
  void NoteBusy() { ++busy_; }
  void NoteWaiting() { --busy_; }

  // --- of whoever looks at the connection from time to time: one thread

  // `read`: how many bytes of it gRPC has been given so far. It is asked after the calls were, so
  // that what is given meanwhile never counts for bytes that aren't counted themselves.
  template <typename Read>
  void Look(Read read) {
    const uint64_t given = given_, messages = messages_;
    const uint64_t bytes = read();
    // What calls were credited too much isn't kept for later.
    if (given > bytes + forfeited_) forfeited_ = given - bytes;
    held_ = bytes + forfeited_ - given;
    const bool waiting = busy_ == 0;
    stray_ = waiting && was_waiting_ && messages == last_messages_;
    was_waiting_ = waiting;
    last_messages_ = messages;
    moved_ = bytes != last_bytes_;
    last_bytes_ = bytes;
  }
  // Of these, no call has been given.
  uint64_t held_bytes() const { return held_; }
  // The same where none of it can be a message that lies unread: every call waited for one at this
  // look and at the one before, and none came between them. At most a part of a message, then, is
  // not stray.
  uint64_t stray_bytes() const { return stray_ ? held_ : 0; }
  // Since the look before.
  bool moved() const { return moved_; }

 private:
  // What comes with a call: at most 8 KiB of headers, and frames about the connection.
  static constexpr uint64_t kCallBytes = 16 << 10;
  // What comes with a message besides its bytes: heads of frames and TLS records, 38 bytes for each
  // 16 KiB and a beginning.
  static constexpr uint64_t kOverheadShare = 8;
  static constexpr uint64_t kMessageBytes = 64;

  std::atomic<uint64_t> given_ = 0;
  std::atomic<uint64_t> messages_ = 0;
  std::atomic<int> busy_ = 0;

  uint64_t forfeited_ = 0;
  uint64_t held_ = 0;
  bool stray_ = false;
  bool was_waiting_ = false;
  bool moved_ = false;
  uint64_t last_messages_ = 0;
  uint64_t last_bytes_ = 0;
};

}  // namespace gleaner::cloud
