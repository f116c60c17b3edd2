#include "edge/camera/live_stamps.h"

#include <algorithm>
#include <vector>

#include "edge/camera/median.h"

namespace gleaner::edge {
namespace {

// What the first packets of a run are looked at for.
constexpr size_t kLearnPackets = 16;
constexpr int64_t kLearnNs = kNanosPerSecond / 2;
// Where frames are few, they are waited for: of fewer than this nobody could tell their order.
constexpr size_t kLeastLearnPackets = 6;
constexpr int64_t kMostLearnNs = 8 * kNanosPerSecond;
// So many that agree with one another are a jump, fewer in a second; so many that don't are of no
// use.
constexpr uint64_t kJumpPackets = 8;
constexpr uint64_t kLeastJumpPackets = 3;
constexpr int64_t kJumpNs = kNanosPerSecond;
constexpr size_t kUselessPackets = 16;
// Of those that agree, one or two may be wrong by themselves.
constexpr int kMaxMisses = 3;
// Stamps that were of no use are believed again after that.
constexpr uint64_t kSoundPackets = 50;
constexpr int64_t kSoundNs = 10 * kNanosPerSecond;
// A clock that falls behind by more has jumped; less is made up for.
constexpr int64_t kMaxShiftNs = kNanosPerSecond;
constexpr int64_t kUsualFrameNs = 40 * kNanosPerMilli;
constexpr int64_t kMaxFrameNs = 2 * kNanosPerSecond;

// Of MPEG-4 and its like, frames out of order aren't noticed; of H.265 without any, they needn't
// be.
bool ReadsPlaces(const PictureOrder& order, const VideoFormat& format) {
  return order.reads() && (format.codec == "h264" || format.parameters->video_delay > 0);
}

}  // namespace

LiveStamps::LiveStamps(const VideoFormat& format, ArrivalClock& clock)
    : format_(format),
      clock_(clock),
      order_(format),
      places_(ReadsPlaces(order_, format)),
      depth_(static_cast<size_t>(std::max(0, format.parameters->video_delay))),
      frame_ns_(format.frames_per_s > 0
                    ? static_cast<int64_t>(kNanosPerSecond / format.frames_per_s)
                    : kUsualFrameNs),
      run_(NewRun()),
      candidate_(NewRun()) {
  clock_.Restart(/*same_rate=*/true);
}

double LiveStamps::frames_per_s() const {
  return static_cast<double>(kNanosPerSecond) / static_cast<double>(frame_ns_);
}

StampRun LiveStamps::NewRun() const {
  const bool ordered = places_ || format_.parameters->video_delay == 0;
  return {format_.time_base, frame_ns_, ordered};
}

void LiveStamps::Push(AvPtr<AVPacket> packet, int64_t arrival_ns) {
  Held held;
  held.shown = PicturePlace{0, ++count_};
  if (places_) held.shown = order_.Next(*packet);
  held.picture = {packet->pts, arrival_ns, in_decode_order_ ? PicturePlace{0, count_} : held.shown};
  held.data = std::move(packet);
  if (mode_ != Mode::kLearning) {
    Take(std::move(held));
    return;
  }
  held_.push_back(std::move(held));
  const int64_t passed_ns = arrival_ns - held_.front().picture.arrival_ns;
  const bool enough = held_.size() >= kLeastLearnPackets || passed_ns >= kMostLearnNs;
  if (held_.size() == kLearnPackets || (enough && passed_ns >= kLearnNs)) Learn();
}

void LiveStamps::Take(Held held) {
  if (mode_ == Mode::kStamps) {
    Judge(std::move(held));
  } else {
    ByArrival(std::move(held), /*jumped=*/false);
  }
}

void LiveStamps::Finish() {
  if (mode_ == Mode::kLearning) Learn();
  MendGlitches();
  Drain();
}

std::optional<LivePacket> LiveStamps::Pop() {
  if (ready_.empty()) return std::nullopt;
  LivePacket packet = std::move(ready_.front());
  ready_.pop_front();
  return packet;
}

bool LiveStamps::InDecodeOrder() const {
  if (depth_ == 0 || held_.size() <= kLeastJumpPackets) return false;
  bool reordered = false;
  for (size_t i = 1; i < held_.size(); ++i) {
    if (held_[i].picture.pts <= held_[i - 1].picture.pts) return false;
    reordered = reordered || held_[i].shown < held_[i - 1].shown;
  }
  return reordered;
}

void LiveStamps::Learn() {
  mode_ = Mode::kStamps;
  std::vector<int64_t> times;
  for (auto held = held_.begin(); held != held_.end(); ++held) {
    const auto later = std::count_if(
        held_.begin(), held, [&](const Held& before) { return held->shown < before.shown; });
    depth_ = std::max(depth_, static_cast<size_t>(later));
    if (held->picture.pts != AV_NOPTS_VALUE) times.push_back(held->picture.pts);
  }
  // FFmpeg counts from the first picture of an RTSP stream on, and hands it out without its stamp.
  if (!times.empty() && held_.front().picture.pts == AV_NOPTS_VALUE &&
      *std::min_element(times.begin(), times.end()) > 0) {
    held_.front().picture.pts = 0;
    times.push_back(0);
  }
  in_decode_order_ = InDecodeOrder();
  if (in_decode_order_) {
    sorter_.emplace(depth_);
    for (size_t i = 0; i < held_.size(); ++i) {
      held_[i].picture.place = {0, static_cast<int64_t>(i) + 1};
    }
  }

  std::sort(times.begin(), times.end());
  std::vector<int64_t> steps;
  for (size_t i = 1; i < times.size(); ++i) {
    const int64_t step_ns = Ns(times[i] - times[i - 1]);
    if (step_ns > 0 && step_ns <= kMaxFrameNs) steps.push_back(step_ns);
  }
  if (!steps.empty()) frame_ns_ = Median(steps);
  run_ = NewRun();
  candidate_ = NewRun();

  // The newest of a burst tells the time of all.
  StampRun sound = NewRun();
  for (const Held& held : held_) {
    if (!sound.Fits(held.picture, clock_, /*knows=*/false)) continue;
    sound.Take(held.picture);
    clock_.Observe(Ns(held.picture.pts), held.picture.arrival_ns);
  }
  for (Held& held : std::exchange(held_, {})) {
    if (held.picture.pts == AV_NOPTS_VALUE && sound.taken() > 0) {
      held.picture.pts = sound.Guess(held.picture);
    }
    Take(std::move(held));
  }
}

void LiveStamps::Judge(Held held) {
  if (!run_.Fits(held.picture, clock_, /*knows=*/true, /*between=*/held_.size())) {
    Doubt(std::move(held));
    return;
  }
  const int64_t pts = held.picture.pts;
  if (places_ && !in_decode_order_ && run_.BeginsAnew(held.picture)) {
    held.shown = held.picture.place = order_.BeginPeriod();
    for (Held& doubted : held_) {
      // Those that came after the loss are of the new period as well.
      const int64_t arrival_ns = doubted.picture.arrival_ns;
      if (held.picture.arrival_ns - arrival_ns < arrival_ns - run_.newest().arrival_ns) {
        doubted.picture.place.period = held.shown.period;
        doubted.shown = doubted.picture.place;
      }
    }
  }
  const bool fell_behind = clock_.Observe(Ns(pts), held.picture.arrival_ns) > kMaxShiftNs;
  run_.Take(held.picture);
  MendGlitches();
  if (fell_behind) {
    Jump(/*cameras_clock=*/true);
    clock_.Observe(Ns(pts), held.picture.arrival_ns);
  }
  HandOn(std::move(held), pts, fell_behind);
}

void LiveStamps::Doubt(Held held) {
  held.agrees = candidate_.Fits(held.picture, clock_, /*knows=*/false);
  misses_ = held.agrees ? 0 : misses_ + 1;
  if (misses_ == kMaxMisses) {
    candidate_ = NewRun();
    candidate_at_ = held_.size();
    misses_ = 0;
    held.agrees = held.picture.pts != AV_NOPTS_VALUE;
  }
  if (held.agrees) candidate_.Take(held.picture);
  held_.push_back(std::move(held));
  if (candidate_.taken() >= kJumpPackets ||
      (candidate_.taken() >= kLeastJumpPackets && candidate_.span_ns() >= kJumpNs)) {
    BelieveCandidate();
  } else if (held_.size() >= kUselessPackets) {
    GoByArrival();
  }
}

void LiveStamps::Mend(StampedPicture* picture) {
  // FFmpeg leaves out stamps now and then; that isn't the camera's doing.
  if (picture->pts != AV_NOPTS_VALUE) ++counts_.glitches;
  picture->pts = run_.Guess(*picture);
  run_.Take(*picture);
}

void LiveStamps::MendGlitches() {
  if (held_.empty()) return;
  for (Held& held : std::exchange(held_, {})) {
    Mend(&held.picture);
    const int64_t pts = held.picture.pts;
    HandOn(std::move(held), pts, /*jumped=*/false);
  }
  ForgetCandidate();
}

void LiveStamps::ForgetCandidate() {
  candidate_ = NewRun();
  candidate_at_ = 0;
  misses_ = 0;
}

void LiveStamps::BelieveCandidate() {
  const auto begin = held_.begin() + static_cast<ptrdiff_t>(candidate_at_);
  std::deque<Held> sound(std::make_move_iterator(begin), std::make_move_iterator(held_.end()));
  held_.erase(begin, held_.end());
  StampRun believed = candidate_;
  ForgetCandidate();
  MendGlitches();
  run_ = std::move(believed);
  Jump(/*cameras_clock=*/true);
  for (const Held& held : sound) {
    if (held.agrees) clock_.Observe(Ns(held.picture.pts), held.picture.arrival_ns);
  }
  bool jumped = true;
  for (Held& held : sound) {
    if (!held.agrees) Mend(&held.picture);
    const int64_t pts = held.picture.pts;
    HandOn(std::move(held), pts, std::exchange(jumped, false));
  }
}

void LiveStamps::GoByArrival() {
  Jump(/*cameras_clock=*/false);
  mode_ = Mode::kArrivals;
  counts_.by_arrival = true;
  const int64_t span_ns = held_.back().picture.arrival_ns - held_.front().picture.arrival_ns;
  const int64_t frame_ns = span_ns / static_cast<int64_t>(held_.size() - 1);
  arrivals_ = ArrivalStamps(frame_ns > 0 ? frame_ns : frame_ns_);
  last_pts_ = INT64_MIN;
  if (depth_ > 0) sorter_.emplace(depth_);
  ForgetCandidate();
  bool jumped = true;
  for (Held& held : std::exchange(held_, {})) {
    ByArrival(std::move(held), std::exchange(jumped, false));
  }
}

void LiveStamps::ByArrival(Held held, bool jumped) {
  if (!candidate_.Fits(held.picture, clock_, /*knows=*/false)) candidate_ = NewRun();
  if (held.picture.pts != AV_NOPTS_VALUE) candidate_.Take(held.picture);
  const int64_t arrival_ns = held.picture.arrival_ns;
  if (candidate_.taken() >= kSoundPackets && candidate_.span_ns() >= kSoundNs) {
    Jump(/*cameras_clock=*/false);
    mode_ = Mode::kStamps;
    counts_.by_arrival = false;
    if (!in_decode_order_) sorter_.reset();
    run_ = std::exchange(candidate_, NewRun());
    const int64_t pts = held.picture.pts;
    clock_.Observe(Ns(pts), arrival_ns);
    HandOn(std::move(held), pts, /*jumped=*/true);
    return;
  }
  last_pts_ = std::max(last_pts_ + 1, NsToTicks(arrivals_.Next(arrival_ns), format_.time_base));
  clock_.Observe(Ns(last_pts_), arrival_ns);
  HandOn(std::move(held), last_pts_, jumped);
}

void LiveStamps::Jump(bool cameras_clock) {
  Drain();
  clock_.Restart(cameras_clock);
  ++counts_.jumps;
}

void LiveStamps::Drain() {
  if (!sorter_.has_value()) return;
  sorter_->Finish();
  while (AvPtr<AVPacket> packet = sorter_->Pop()) Ready(std::move(packet));
}

void LiveStamps::HandOn(Held held, int64_t time, bool jumped) {
  sorted_.emplace_back(held.picture.arrival_ns, jumped);
  if (!sorter_.has_value()) {
    held.data->pts = time;
    Ready(std::move(held.data));
    return;
  }
  sorter_->Push(std::move(held.data), time, held.shown);
  while (AvPtr<AVPacket> packet = sorter_->Pop()) Ready(std::move(packet));
}

void LiveStamps::Ready(AvPtr<AVPacket> data) {
  const auto [arrival_ns, jumped] = sorted_.front();
  sorted_.pop_front();
  const int64_t pts = data->pts;
  ready_.push_back({std::move(data), pts, arrival_ns, clock_.Map(Ns(pts)), jumped});
}

}  // namespace gleaner::edge
