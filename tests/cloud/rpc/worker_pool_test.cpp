#include "cloud/rpc/worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <string>

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;

TEST(Strand, DispatchesOnTheCallersThreadWhenNothingElseRuns) {
  WorkerPool pool(1, 10);
  auto strand = std::make_shared<Strand>(pool);
  EXPECT_TRUE(strand->idle());
  std::thread::id ran_on;
  strand->Dispatch([&] {
    ran_on = std::this_thread::get_id();
    EXPECT_FALSE(strand->idle());
  });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_TRUE(strand->idle());
}

TEST(Strand, KeepsTheOrderWhenATaskIsDispatchedBehindAnother) {
  WorkerPool pool(2, 10);
  auto strand = std::make_shared<Strand>(pool);
  std::vector<int> order;
  std::latch begun(1), go(1), done(1);
  strand->Post([&] {
    begun.count_down();
    go.wait();
    order.push_back(1);
  });
  begun.wait();
  strand->Dispatch([&] { order.push_back(2); });  // must not run here: 1 is still running
  strand->Post([&] {
    order.push_back(3);
    done.count_down();
  });
  go.count_down();
  done.wait();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(Strand, ContinuesATaskBeforeAnythingThatWaits) {
  WorkerPool pool(2, 10);
  auto strand = std::make_shared<Strand>(pool);
  std::vector<std::string> order;
  std::latch done(1);
  strand->Dispatch([&] {
    order.push_back("chunk");
    strand->Post([&] {
      order.push_back("offer");
      done.count_down();
    });
    strand->Continue([&] { order.push_back("commit"); });
  });
  done.wait();
  EXPECT_THAT(order, ElementsAre("chunk", "commit", "offer"));
}

TEST(Strand, RunsAContinuationOnThePoolAndNotWhereTheTaskWasDispatched) {
  WorkerPool pool(1, 10);
  auto strand = std::make_shared<Strand>(pool);
  std::thread::id ran_on;
  std::latch done(1);
  strand->Dispatch([&] {
    strand->Continue([&] {
      ran_on = std::this_thread::get_id();
      done.count_down();
    });
  });
  done.wait();
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

}  // namespace
}  // namespace gleaner::cloud
