#include "cloud/rpc/connection_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Verdict = ConnectionTable::Verdict;

// 8 connections, of these 4 strangers; 4 of an address, of these 2 strangers.
constexpr ConnectionLimits kLimits{.all = 8, .per_address = 4};
constexpr int64_t kSecond = kNanosPerSecond;

class ConnectionTableTest : public testing::Test {
 protected:
  PeerAddress Peer(uint8_t host, uint16_t port) {
    return *PeerAddress::FromGrpc("ipv4:10.0.0." + std::to_string(host) + ":" +
                                  std::to_string(port));
  }
  ConnectionTable::Id Add(uint8_t host) {
    last_ = Peer(host, ++port_);
    return table_.Add(last_, /*fd=*/port_, /*cookie=*/port_, now_);
  }
  ConnectionTable::Id AddShaking(uint8_t host) {
    const auto id = Add(host);
    table_.NoteWord(id);
    return id;
  }
  ConnectionTable::Id AddInUse(uint8_t host) {
    const auto id = AddShaking(host);
    table_.NoteCall(last_, now_);
    return id;
  }
  ConnectionTable::Decision Decide(uint8_t host) { return table_.Decide(Peer(host, 9999), now_); }

  ConnectionTable table_{kLimits};
  PeerAddress last_;
  uint16_t port_ = 0;
  int64_t now_ = 1000 * kSecond;
};

TEST_F(ConnectionTableTest, LetsInAsManyAsMayBe) {
  for (uint8_t host = 1; host <= 8; ++host) {
    EXPECT_EQ(Decide(host).verdict, Verdict::kWelcome);
    AddInUse(host);
  }
  EXPECT_EQ(Decide(9).verdict, Verdict::kFull);
}

TEST_F(ConnectionTableTest, TheOldestSilentOneMakesRoomForANewerOne) {
  AddShaking(1);
  const auto silent = Add(2);
  Add(3);
  Add(4);
  const auto decision = Decide(5);
  EXPECT_EQ(decision.verdict, Verdict::kMakeRoom);
  EXPECT_EQ(decision.victim, silent);
}

TEST_F(ConnectionTableTest, AHandshakeMakesRoomOnlyWhenItTakesLongerThanAnHonestOne) {
  const auto oldest = AddShaking(1);
  for (uint8_t host = 2; host <= 4; ++host) AddShaking(host);
  EXPECT_EQ(Decide(5).verdict, Verdict::kFull);
  now_ += kSecond;
  EXPECT_EQ(Decide(5).verdict, Verdict::kMakeRoom);
  EXPECT_EQ(Decide(5).victim, oldest);
}

TEST_F(ConnectionTableTest, WhatIsInUseIsNeverClosedForOthers) {
  for (uint8_t host = 1; host <= 8; ++host) AddInUse(host);
  now_ += 3600 * kSecond;
  EXPECT_EQ(Decide(9).verdict, Verdict::kFull);
  EXPECT_EQ(table_.Dispensable(now_), std::nullopt);
  EXPECT_THAT(table_.Overdue(now_), IsEmpty());
}

TEST_F(ConnectionTableTest, AnAddressThatHasItsShareMakesRoomAmongItsOwn) {
  const auto other = Add(1);
  const auto own = Add(2);
  Add(2);
  EXPECT_EQ(Decide(2).verdict, Verdict::kMakeRoom);
  EXPECT_EQ(Decide(2).victim, own);
  EXPECT_NE(own, other);
  EXPECT_EQ(Decide(3).verdict, Verdict::kWelcome);
}

TEST_F(ConnectionTableTest, AnAddressThatHasItsShareInUseIsRefused) {
  for (int i = 0; i < 4; ++i) AddInUse(1);
  Add(2);
  EXPECT_EQ(Decide(1).verdict, Verdict::kAddressFull);
  EXPECT_EQ(Decide(2).verdict, Verdict::kWelcome);
}

TEST_F(ConnectionTableTest, WhatIsGoneLeavesItsPlaceInEveryCount) {
  std::vector<ConnectionTable::Id> ids;
  for (int i = 0; i < 2; ++i) ids.push_back(AddShaking(1));
  for (int i = 0; i < 2; ++i) ids.push_back(AddInUse(1));
  EXPECT_EQ(Decide(1).verdict, Verdict::kAddressFull);
  for (const auto id : ids) table_.Remove(id);
  table_.Remove(ids[0]);  // once is enough
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(Decide(1).verdict, Verdict::kWelcome);
}

TEST_F(ConnectionTableTest, StrangersHaveUntilTheirFirstCall) {
  const auto silent = Add(1), shaking = AddShaking(2);
  AddInUse(3);
  now_ += kLimits.first_call_ns - 1;
  EXPECT_THAT(table_.Overdue(now_), IsEmpty());
  Add(4);
  now_ += 1;
  EXPECT_THAT(table_.Overdue(now_), ElementsAre(silent, shaking));
}

TEST_F(ConnectionTableTest, ACallCountsForTheConnectionItCameOn) {
  const auto first = AddShaking(1);
  const PeerAddress there = last_;
  const auto second = AddShaking(1);
  table_.NoteCall(there, now_);
  table_.NoteCall(there, now_);
  table_.NoteCall(Peer(7, 7), now_);  // a connection that is gone
  EXPECT_EQ(table_.Find(first)->state, ConnectionTable::State::kInUse);
  EXPECT_EQ(table_.Find(second)->state, ConnectionTable::State::kHandshake);
  EXPECT_EQ(table_.counts().in_use, 1u);
  EXPECT_EQ(table_.counts().handshake, 1u);
}

TEST_F(ConnectionTableTest, ANewConnectionFromTheSamePortIsNotTakenForTheOld) {
  const auto old = AddShaking(1);
  const auto young = table_.Add(last_, 77, 77, now_);
  table_.Remove(old);
  table_.NoteWord(young);
  table_.NoteCall(last_, now_);
  EXPECT_EQ(table_.Find(young)->state, ConnectionTable::State::kInUse);
}

TEST_F(ConnectionTableTest, KnowsWhichConnectionsAreSomebodyElsesToClose) {
  Add(1);
  const auto shaking = AddShaking(2), in_use = AddInUse(3);
  EXPECT_THAT(table_.HandedOver(), UnorderedElementsAre(shaking, in_use));
}

TEST_F(ConnectionTableTest, TheFirstCallOfAConnectionIsToldFromLaterOnes) {
  const auto id = AddShaking(1);
  const auto first = table_.NoteCall(last_, now_), second = table_.NoteCall(last_, now_);
  EXPECT_EQ(first.id, id);
  EXPECT_TRUE(first.first);
  EXPECT_EQ(second.id, id);
  EXPECT_FALSE(second.first);
  EXPECT_EQ(table_.NoteCall(Peer(2, 77), now_).id, 0u);
}

TEST_F(ConnectionTableTest, AsManyCallsInARowAsMayBeAndThenOneAtATime) {
  AddInUse(1);
  for (int64_t i = 1; i < kLimits.calls_in_a_row; ++i) {
    ASSERT_FALSE(table_.NoteCall(last_, now_).too_many) << i;
  }
  EXPECT_TRUE(table_.NoteCall(last_, now_).too_many);
  now_ += 10 * kSecond;
  // One of them paid for the call that was too many.
  for (int64_t i = 1; i < 10 * kLimits.calls_per_s; ++i) {
    ASSERT_FALSE(table_.NoteCall(last_, now_).too_many) << i;
  }
  EXPECT_TRUE(table_.NoteCall(last_, now_).too_many);
}

TEST_F(ConnectionTableTest, ADeviceThatCallsAtItsPaceMayDoSoForEver) {
  AddInUse(1);
  for (int64_t i = 0; i < 100'000; ++i) {
    now_ += kSecond / kLimits.calls_per_s;
    ASSERT_FALSE(table_.NoteCall(last_, now_).too_many) << i;
  }
}

TEST_F(ConnectionTableTest, CallsThatAreHeldCountUntilTheyEnd) {
  const auto id = AddInUse(1);
  for (size_t i = 0; i < kLimits.calls_at_once; ++i) {
    EXPECT_FALSE(table_.NoteCall(last_, now_, /*held=*/true).too_many);
  }
  table_.NoteCallEnd(id);
  EXPECT_FALSE(table_.NoteCall(last_, now_, true).too_many);
  EXPECT_TRUE(table_.NoteCall(last_, now_, true).too_many);
  table_.Remove(id);
  table_.NoteCallEnd(id);  // later than its connection
}

TEST_F(ConnectionTableTest, OfOneDeviceTheOldestConnectionGoesWhenThereAreTooMany) {
  ConnectionTable table({.all = 100, .per_address = 100, .per_device = 3});
  const auto add = [&](uint8_t host) {
    const PeerAddress peer = Peer(host, ++port_);
    const auto id = table.Add(peer, port_, port_, now_);
    table.NoteCall(peer, now_);
    return id;
  };
  const auto first = add(1), second = add(2);
  EXPECT_EQ(table.NoteDevice(first, "cart-1"), std::nullopt);
  EXPECT_EQ(table.NoteDevice(second, "cart-1"), std::nullopt);
  EXPECT_EQ(table.NoteDevice(add(3), "cart-1"), std::nullopt);
  EXPECT_EQ(table.NoteDevice(add(1), "cart-2"), std::nullopt) << "another device";
  EXPECT_EQ(table.NoteDevice(add(1), ""), std::nullopt) << "nobody knows whose";
  EXPECT_EQ(table.NoteDevice(add(4), "cart-1"), first);
  table.Remove(first);
  EXPECT_EQ(table.NoteDevice(add(5), "cart-1"), second);
  EXPECT_EQ(table.NoteDevice(first, "cart-1"), std::nullopt) << "it is gone";
}

}  // namespace
}  // namespace gleaner::cloud
