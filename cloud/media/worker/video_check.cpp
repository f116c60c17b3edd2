#include "cloud/media/worker/video_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cloud/media/worker/jpeg.h"
#include "cloud/media/worker/track_decoder.h"
#include "cloud/media/worker/video_file.h"
#include "cloud/media/worker_protocol.h"

namespace gleaner::cloud::media {
namespace {

using v1::MediaCheck;

// Of the processor time: from where on only keyframes are decoded, and from where on nothing.
constexpr double kKeyframesOnlyFrom = 0.6;
constexpr double kNothingFrom = 0.8;
// A clip is good with one damaged frame among so many.
constexpr uint32_t kDamageBearable = 10;

std::vector<int64_t> TimesOf(const v1::VideoTrack& track) {
  int64_t pts = track.first_pts();
  std::vector<int64_t> times = {pts};
  times.reserve(track.frame_count());
  for (const uint32_t delta : track.pts_delta()) times.push_back(pts += delta);
  return times;
}

class VideoChecker {
 public:
  VideoChecker(const v1::VideoTrack& track, size_t thumbnails, FrameWish frames, int64_t cpu_ns)
      : track_(track),
        thumbnails_wanted_(std::min<size_t>({thumbnails, kMaxThumbnails, track.frame_count()})),
        cpu_ns_(cpu_ns),
        times_(TimesOf(track)),
        picker_(std::move(frames), track, times_.back()) {}

  VideoFindings Run() {
    if (Open() && OpenDecoder()) {
      DecodeAll();
      Judge();
    }
    while (!thumbnails_.empty() && thumbnails_.size() < thumbnails_wanted_) {
      thumbnails_.push_back(thumbnails_.back());
    }
    VideoFindings findings;
    MediaCheck& verdict = findings.verdict;
    verdict.set_state(failed_ ? MediaCheck::STATE_FAILED : MediaCheck::STATE_OK);
    verdict.set_reason(reason_);
    verdict.set_problem(problem_);
    verdict.set_decoded_frames(decoded_);
    verdict.set_damaged_frames(damaged_);
    findings.thumbnails = std::move(thumbnails_);
    verdict.set_thumbnails(static_cast<uint32_t>(findings.thumbnails.size()));
    // Where a frame isn't when the manifest says, its time names nothing.
    if (!failed_) findings.frames = picker_.Finish();
    return findings;
  }

 private:
  // Notes what is wrong; what was noted first stays. Always false.
  template <typename... Args>
  bool Fail(MediaCheck::Reason reason, fmt::format_string<Args...> format, Args&&... args) {
    if (failed_) return false;
    failed_ = true;
    reason_ = reason;
    problem_ = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }
  bool Fail(const Fault& fault) { return Fail(fault.reason, "{}", fault.problem); }

  bool Open() {
    const auto fault = OpenTrack(track_, file_);
    return !fault || Fail(*fault);
  }

  bool OpenDecoder() {
    const auto fault = media::OpenDecoder(track_, file_, decoder_);
    return !fault || Fail(*fault);
  }

  void DecodeAll() {
    const Owned<AVPacket> packet(av_packet_alloc());
    for (bool first = true; file_.Read(packet.get()); first = false) {
      if (first) starts_at_keyframe_ = (packet->flags & AV_PKT_FLAG_KEY) != 0;
      // Bounded by the manifest: of what is beyond it, that it is there is enough to know.
      if (packet->pts >= track_.first_pts() || track_.lead_in_ticks() == 0) {
        if (found_.size() > times_.size()) break;
        found_.push_back(packet->pts);
      }
      if (MayDecode()) Decode(packet.get());
      av_packet_unref(packet.get());
    }
    if (MayDecode()) Decode(nullptr);
  }

  bool MayDecode() {
    const auto used = static_cast<double>(CpuNs()) / static_cast<double>(cpu_ns_);
    if (used >= kKeyframesOnlyFrom && !thinned_) {
      thinned_ = true;
      decoder_->skip_frame = AVDISCARD_NONKEY;
    }
    return used < kNothingFrom && !out_of_memory_;
  }

  // Null ends the stream.
  void Decode(const AVPacket* packet) {
    const int sent = avcodec_send_packet(decoder_.get(), packet);
    if (sent < 0) NoteError(sent);
    const Owned<AVFrame> frame(av_frame_alloc());
    for (;;) {
      const int got = avcodec_receive_frame(decoder_.get(), frame.get());
      if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) return;
      if (got < 0) return NoteError(got);
      TakeFrame(*frame);
      av_frame_unref(frame.get());
    }
  }

  // The frame itself is found missing at the end.
  void NoteError(int error) {
    if (error == AVERROR(ENOMEM)) out_of_memory_ = true;
    if (first_error_.empty()) first_error_ = ErrorText(error);
  }

  void TakeFrame(const AVFrame& frame) {
    const auto at = std::lower_bound(times_.begin(), times_.end(), frame.best_effort_timestamp);
    // One of the lead-in; or of times that Judge() finds wrong.
    if (at == times_.end() || *at != frame.best_effort_timestamp) return;
    if (frame.width != static_cast<int>(track_.width()) ||
        frame.height != static_cast<int>(track_.height())) {
      Fail(MediaCheck::REASON_MISMATCH, "frame {} has {}x{} pixels, the manifest says {}x{}",
           at - times_.begin(), frame.width, frame.height, track_.width(), track_.height());
      return;
    }
    const auto index = static_cast<size_t>(at - times_.begin());
    const bool whole = frame.decode_error_flags == 0 && (frame.flags & AV_FRAME_FLAG_CORRUPT) == 0;
    if (index < next_) return;  // two of one time: the first is the frame
    // What was jumped over is missing, unless it was left out to save time.
    if (!thinned_) damaged_ += static_cast<uint32_t>(index - next_);
    next_ = index + 1;
    ++decoded_;
    if (!whole) ++damaged_;
    MakeThumbnail(frame, index);
    if (whole && !picker_.idle()) picker_.Take(frame, *at, file_.turn());
  }

  // For the middle of each of `thumbnails_wanted_` equal parts that the frame is in or behind.
  void MakeThumbnail(const AVFrame& frame, size_t index) {
    std::string jpeg;
    while (thumbnails_.size() < thumbnails_wanted_ &&
           index >= (2 * thumbnails_.size() + 1) * times_.size() / (2 * thumbnails_wanted_)) {
      if (jpeg.empty()) {
        auto made = media::MakeThumbnail(frame, file_.turn());
        if (!made.ok()) return;
        jpeg = *std::move(made);
      }
      thumbnails_.push_back(jpeg);
    }
    // Whatever comes of the rest, there is a picture of it.
    if (thumbnails_.empty() && thumbnails_wanted_ > 0 && fallback_.empty()) {
      auto made = media::MakeThumbnail(frame, file_.turn());
      if (made.ok()) fallback_ = *std::move(made);
    }
  }

  // Once all is decoded: compares what was found with what the manifest says.
  void Judge() {
    if (!thinned_ && !out_of_memory_) damaged_ += static_cast<uint32_t>(times_.size() - next_);
    if (thumbnails_.empty() && !fallback_.empty()) thumbnails_.push_back(std::move(fallback_));
    if (file_.broken().has_value()) Fail(*file_.broken());
    if (found_.size() > times_.size()) {
      Fail(MediaCheck::REASON_FRAME_COUNT,
           "the video has more than the {} frames that the manifest says", times_.size());
    }
    if (found_.size() < times_.size()) {
      Fail(MediaCheck::REASON_FRAME_COUNT, "the video has {} frames, the manifest says {}",
           found_.size(), times_.size());
    }
    if (found_.size() == times_.size()) {
      std::sort(found_.begin(), found_.end());
      const auto [shown, said] = std::mismatch(found_.begin(), found_.end(), times_.begin());
      if (shown != found_.end()) {
        Fail(MediaCheck::REASON_TIMES, "frame {} is shown at tick {}, the manifest says {}",
             shown - found_.begin(), *shown, *said);
      }
    }
    if (out_of_memory_) {
      Fail(MediaCheck::REASON_TOO_LARGE,
           "decoding frame {} needs more memory than a worker may have", next_);
    }
    if (decoded_ == 0 && CpuNs() >= static_cast<int64_t>(kNothingFrom * cpu_ns_)) {
      Fail(MediaCheck::REASON_TOO_LARGE, "decoding one frame takes more time than a clip may cost");
    }
    if (decoded_ == 0) {
      Fail(MediaCheck::REASON_UNDECODABLE, "no frame decodes{}{}", first_error_.empty() ? "" : ": ",
           first_error_);
    }
    if (!starts_at_keyframe_) {
      Fail(MediaCheck::REASON_MISMATCH, "the video does not start at a keyframe");
    }
    if (damaged_ > 0 && !failed_) {
      Fail(MediaCheck::REASON_DAMAGED_FRAMES, "{} of {} frames {} damaged", damaged_, times_.size(),
           damaged_ == 1 ? "is" : "are");
      failed_ = uint64_t{damaged_} * kDamageBearable > times_.size();
    }
  }

  const v1::VideoTrack& track_;
  const size_t thumbnails_wanted_;
  const int64_t cpu_ns_;
  const std::vector<int64_t> times_;  // of the frames, as the manifest says them, ascending
  FramePicker picker_;
  std::vector<int64_t> found_;  // of the packets, in their order
  VideoFile file_;
  Owned<AVCodecContext> decoder_;
  bool starts_at_keyframe_ = true;
  bool thinned_ = false;  // only keyframes are decoded by now
  bool out_of_memory_ = false;
  std::string first_error_;  // of the decoder
  size_t next_ = 0;          // frame that is to come
  uint32_t decoded_ = 0;
  uint32_t damaged_ = 0;
  std::vector<std::string> thumbnails_;
  std::string fallback_;  // a thumbnail, for a video that has none where they belong
  bool failed_ = false;
  MediaCheck::Reason reason_ = MediaCheck::REASON_UNSPECIFIED;
  std::string problem_;
};

}  // namespace

VideoFindings CheckVideo(const v1::VideoTrack& track, size_t thumbnails, FrameWish frames,
                         int64_t cpu_ns) {
  av_log_set_level(AV_LOG_QUIET);
  return VideoChecker(track, thumbnails, std::move(frames), cpu_ns).Run();
}

}  // namespace gleaner::cloud::media
