// Which moment of the device's clock a live camera's PTS is.
//
// A camera's clock isn't the device's: a sound one is off by some millionths, a broken one counts
// 0.84 s a second. And packets come late by a time that varies, never early. So the arrivals of
// packets, over their PTS, lie above a straight line whose slope is the rate of the two clocks, and
// touch it now and then. That line is estimated: of all lines below the points the one with the
// least distance to them, which is an edge of their lower convex hull (Moon, Skelly, Towsley,
// "Estimation and Removal of Clock Skew from Network Delay Measurements", INFOCOM 1999). Points are
// the promptest packet of each quarter of a second in the last two minutes; where the newest ten
// seconds tell of another line, what is older is forgotten. Until the points say otherwise, by more
// than their own spread, both clocks run alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace gleaner::edge {

// PTS and moments are in nanoseconds. Not thread-safe.
class ArrivalClock {
 public:
  // What is observed from now on counts from elsewhere: with `same_rate` at the rate that was found
  // until the new points say otherwise, else, until then, at the device's.
  void Restart(bool same_rate);

  // A packet whose PTS is believed, and when it came. Returns by how much the line had to be moved
  // at once because packets have come later than it said for ten seconds; 0 as a rule.
  int64_t Observe(int64_t pts_ns, int64_t arrival_ns);

  // The moment of a PTS by the line as it is. Once something was observed.
  int64_t Predict(int64_t pts_ns) const { return line_.At(pts_ns); }

  // The same for a frame that is handed on: of two frames the one with the greater PTS has the
  // later moment, however the line moved meanwhile, also across a restart. A correction takes about
  // as long as it is large.
  int64_t Map(int64_t pts_ns);

  // Seconds of the device's clock in a second of the camera's.
  double rate() const { return started_ ? line_.rate : usual_rate_; }
  // Whether the rate was measured, to well within a hundredth. Else it is what it was before, or 1.
  bool sure() const { return sure_; }

 private:
  struct Point {
    int64_t pts_ns = 0;
    int64_t at_ns = 0;
  };
  struct Line {
    Point through;
    double rate = 1;
    int64_t At(int64_t pts_ns) const {
      return through.at_ns +
             static_cast<int64_t>(rate * static_cast<double>(pts_ns - through.pts_ns));
    }
  };
  struct Fit {
    Line line;
    double slack_ns = 0;  // mean distance of the points
    double span_ns = 0;   // of their PTS
    bool measured = false;
  };

  Fit FitFrom(size_t first) const;
  int64_t Refit();

  double usual_rate_ = 1;     // where the points don't say
  std::deque<Point> points_;  // PTS increase
  Point prompt_;              // the promptest of the quarter of a second that has begun
  int64_t bucket_ns_ = 0;     // when that began
  Line line_;
  bool started_ = false;
  bool sure_ = false;
  bool found_ = false;  // the rate, well enough to start with it

  std::deque<Point> mapped_;          // the newest frames in presentation order
  std::optional<int64_t> latest_ns_;  // moment given so far
};

}  // namespace gleaner::edge
