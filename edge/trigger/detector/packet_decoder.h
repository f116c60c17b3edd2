// Decodes a camera's packets for looking, not for showing: one thread, no loop filter, no frames
// that nothing refers to.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "edge/camera/packet.h"

struct AVCodecContext;
struct AVFrame;

namespace gleaner::edge {

// Not thread-safe. Packets that can't be decoded are skipped: the stream goes on with the next
// keyframe.
class PacketDecoder {
 public:
  // AVFrame::pts is the packet's. The frame may be moved away (av_frame_move_ref); what is left of
  // it is valid during the call only.
  using OnDecoded = std::function<void(AVFrame&)>;

  // UNIMPLEMENTED when there is no decoder for the codec, INTERNAL when it doesn't open.
  static absl::StatusOr<std::unique_ptr<PacketDecoder>> Open(const VideoFormat& format);
  // Gives its memory back to the system: some megabytes of pictures that malloc would keep.
  ~PacketDecoder();
  PacketDecoder(const PacketDecoder&) = delete;
  PacketDecoder& operator=(const PacketDecoder&) = delete;

  // The next packet in decode order, first a keyframe; frames come out in presentation order, late
  // by the stream's own reordering.
  void Decode(const Packet& packet, const OnDecoded& on_decoded);
  // No packet follows: the frames that are still inside come out. The last call.
  void Finish(const OnDecoded& on_decoded);

 private:
  struct FreeContext {
    void operator()(AVCodecContext* context) const;
  };
  struct FreeFrame {
    void operator()(AVFrame* frame) const;
  };

  PacketDecoder() = default;
  void Receive(const OnDecoded& on_decoded);

  std::unique_ptr<AVCodecContext, FreeContext> context_;
  std::unique_ptr<AVFrame, FreeFrame> frame_;
};

}  // namespace gleaner::edge
