#include "edge/upload/token_bucket.h"

#include <gtest/gtest.h>

#include <random>

#include "common/limits.h"

namespace gleaner::edge {
namespace {

// Sends messages of up to a block as fast as the bucket lets it for `seconds`, waking up to
// `late_ns` late each time.
uint64_t SendFor(TokenBucket& bucket, FakeClock& clock, int64_t seconds, int64_t late_ns,
                 uint64_t seed) {
  std::mt19937_64 random(seed);
  const int64_t end = clock.MonotonicNs() + seconds * kNanosPerSecond;
  uint64_t sent = 0;
  while (clock.MonotonicNs() < end) {
    if (const int64_t wait = bucket.WaitNs(); wait > 0) {
      clock.Advance(wait + static_cast<int64_t>(random() % (late_ns + 1)));
      continue;
    }
    const uint64_t bytes = 1 + random() % kBlockBytes;
    bucket.Take(bytes);
    sent += bytes;
  }
  return sent;
}

TEST(TokenBucket, HoldsTheCapWithinATenthAlsoWhenWokenLate) {
  for (const uint64_t rate : {32'000u, 1'000'000u, 12'500'000u, 125'000'000u}) {
    for (const int64_t late_ns : {int64_t{0}, kNanosPerMilli, 15 * kNanosPerMilli}) {
      FakeClock clock;
      TokenBucket bucket(clock);
      bucket.SetRate(rate);
      const int64_t seconds = rate < 100'000 ? 600 : 10;
      const auto sent = static_cast<double>(SendFor(bucket, clock, seconds, late_ns, rate));
      const auto allowed = static_cast<double>(rate * static_cast<uint64_t>(seconds));
      EXPECT_GT(sent, 0.9 * allowed) << rate << " " << late_ns;
      EXPECT_LT(sent, 1.1 * allowed) << rate << " " << late_ns;
    }
  }
}

TEST(TokenBucket, LetsOneMessageGoAtOnceAfterAnyRest) {
  FakeClock clock;
  TokenBucket bucket(clock);
  bucket.SetRate(kBlockBytes);  // one block a second
  clock.Advance(3600 * kNanosPerSecond);
  EXPECT_EQ(bucket.WaitNs(), 0);
  bucket.Take(kBlockBytes);
  EXPECT_NEAR(static_cast<double>(bucket.WaitNs()), 1e9, 2e7);
}

TEST(TokenBucket, PaysTheRestOfADebtAtTheNewRate) {
  FakeClock clock;
  TokenBucket bucket(clock);
  bucket.SetRate(1000);
  bucket.Take(100'000);  // 100 s
  clock.Advance(50 * kNanosPerSecond);
  bucket.SetRate(10'000);
  EXPECT_NEAR(static_cast<double>(bucket.WaitNs()), 5e9, 1e8);
  bucket.SetRate(0);
  EXPECT_EQ(bucket.WaitNs(), 0);
}

}  // namespace
}  // namespace gleaner::edge
