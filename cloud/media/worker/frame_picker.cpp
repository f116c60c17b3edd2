#include "cloud/media/worker/frame_picker.h"

#include <algorithm>
#include <utility>

#include "cloud/media/worker/jpeg.h"
#include "cloud/media/worker/measures.h"

namespace gleaner::cloud::media {
namespace {

constexpr int kWitnessesASecond = 2;
constexpr int64_t kMaxWitnesses = 256;

int64_t WitnessTicks(const v1::VideoTrack& track, int64_t last_pts) {
  const int64_t second =
      track.time_base_denominator() / std::max<int64_t>(1, track.time_base_numerator());
  return std::max(
      {int64_t{1}, second / kWitnessesASecond, (last_pts - track.first_pts()) / kMaxWitnesses + 1});
}

}  // namespace

FramePicker::FramePicker(FrameWish wish, const v1::VideoTrack& track, int64_t last_pts)
    : wish_(std::move(wish)),
      first_pts_(track.first_pts()),
      last_pts_(last_pts),
      witness_ticks_(WitnessTicks(track, last_pts)),
      next_witness_pts_(track.first_pts()) {}

void FramePicker::Take(const AVFrame& frame, int64_t pts, Turn turn) {
  const bool wanted = IsWanted(pts);
  const bool keyframe = !wanted && IsKeyframeToTake(frame, pts);
  const bool witness = pts >= next_witness_pts_;
  if (!wanted && !keyframe && !witness) return;
  auto grid = GridOf(frame, turn);
  if (!grid.ok()) return;
  if (witness) {
    witnesses_.push_back({pts, *grid});
    next_witness_pts_ = pts + witness_ticks_;
  }
  if (!wanted && !keyframe) return;
  const auto quality = QualityOf(frame);
  auto thumbnail = MakeThumbnail(frame, turn);
  if (!quality.ok() || !thumbnail.ok()) return;
  if (keyframe) {
    const auto part = static_cast<uint32_t>(static_cast<__int128>(pts - first_pts_) *
                                            wish_.keyframes / (last_pts_ - first_pts_ + 1));
    parts_done_ = part + 1;
  }
  PickedFrame& picked = picked_.emplace_back();
  picked.head = {.pts = pts,
                 .phash = PerceptualHash(*grid),
                 .sharpness = quality->sharpness,
                 .exposure = quality->exposure,
                 .clipped = quality->clipped,
                 .blocked = quality->blocked,
                 .motion = 1,
                 .reserved = 0,
                 .grid = *grid};
  picked.thumbnail = *std::move(thumbnail);
}

std::vector<PickedFrame> FramePicker::Finish() {
  for (PickedFrame& picked : picked_) picked.head.motion = MotionAround(picked);
  return std::move(picked_);
}

bool FramePicker::IsWanted(int64_t pts) {
  while (next_wish_ < wish_.times.size() && wish_.times[next_wish_] < pts) ++next_wish_;
  return next_wish_ < wish_.times.size() && wish_.times[next_wish_] == pts;
}

bool FramePicker::IsKeyframeToTake(const AVFrame& frame, int64_t pts) const {
  if (wish_.keyframes == 0 || frame.key_frame == 0) return false;
  const auto part = static_cast<uint32_t>(static_cast<__int128>(pts - first_pts_) *
                                          wish_.keyframes / (last_pts_ - first_pts_ + 1));
  if (part < parts_done_) return false;
  const auto near = [&](int64_t other) {
    return static_cast<uint64_t>(std::max(pts, other) - std::min(pts, other)) < wish_.gap_ticks;
  };
  if (!picked_.empty() && near(picked_.back().head.pts)) return false;
  return next_wish_ == wish_.times.size() || !near(wish_.times[next_wish_]);
}

// 1 where there is nothing to compare it with.
float FramePicker::MotionAround(const PickedFrame& picked) const {
  const auto after =
      std::upper_bound(witnesses_.begin(), witnesses_.end(), picked.head.pts,
                       [](int64_t pts, const Witness& witness) { return pts < witness.pts; });
  float motion = -1;
  const auto compare = [&](const Witness& witness) {
    motion = std::max(motion, ShareChanged(witness.grid, picked.head.grid));
  };
  if (after != witnesses_.end()) compare(*after);
  auto before = after;
  // The frame itself may be one.
  while (before != witnesses_.begin() && std::prev(before)->pts == picked.head.pts) --before;
  if (before != witnesses_.begin()) compare(*std::prev(before));
  return motion < 0 ? 1 : motion;
}

}  // namespace gleaner::cloud::media
