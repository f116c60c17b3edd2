#include "cloud/rpc/connection_table.h"

#include <algorithm>

namespace gleaner::cloud {
namespace {

// Half, but always one.
size_t Strangers(size_t limit) { return std::max<size_t>(1, limit / 2); }

}  // namespace

ConnectionTable::Decision ConnectionTable::Decide(const PeerAddress& peer, int64_t now) const {
  const PeerAddress network = peer.Network();
  const auto found = by_network_.find(network);
  const Held held = found == by_network_.end() ? Held{} : found->second;
  const bool address_full =
      held.all >= limits_.per_address || held.strangers >= Strangers(limits_.per_address);
  const bool full = size() >= limits_.all || strangers_.size() >= Strangers(limits_.all);
  if (!address_full && !full) return {};
  if (const auto victim = Dispensable(now, address_full ? &network : nullptr)) {
    return {Verdict::kMakeRoom, *victim};
  }
  return {address_full ? Verdict::kAddressFull : Verdict::kFull};
}

ConnectionTable::Id ConnectionTable::Add(const PeerAddress& peer, int fd, uint64_t cookie,
                                         int64_t now) {
  const Id id = next_++;
  strangers_[id] = {.peer = peer, .fd = fd, .cookie = cookie, .since_ns = now};
  by_peer_[peer] = id;
  Held& held = by_network_[peer.Network()];
  ++held.all;
  ++held.strangers;
  return id;
}

void ConnectionTable::Remove(Id id) {
  const auto stranger = strangers_.extract(id);
  const auto known = stranger.empty() ? in_use_.extract(id) : decltype(in_use_)::node_type();
  if (stranger.empty() && known.empty()) return;
  const Connection& connection = (stranger.empty() ? known : stranger).mapped();
  const PeerAddress peer = connection.peer;
  if (const auto own = by_device_.find(connection.device); own != by_device_.end()) {
    own->second.erase(id);
    if (own->second.empty()) by_device_.erase(own);
  }
  if (const auto named = by_peer_.find(peer); named != by_peer_.end() && named->second == id) {
    by_peer_.erase(named);
  }
  const auto held = by_network_.find(peer.Network());
  if (!stranger.empty()) --held->second.strangers;
  if (--held->second.all == 0) by_network_.erase(held);
}

const ConnectionTable::Connection* ConnectionTable::Find(Id id) const {
  if (const auto found = strangers_.find(id); found != strangers_.end()) return &found->second;
  const auto found = in_use_.find(id);
  return found == in_use_.end() ? nullptr : &found->second;
}

void ConnectionTable::NoteWord(Id id) {
  const auto found = strangers_.find(id);
  if (found != strangers_.end()) found->second.state = State::kHandshake;
}

ConnectionTable::Call ConnectionTable::NoteCall(const PeerAddress& peer, int64_t now, bool held) {
  const auto named = by_peer_.find(peer);
  if (named == by_peer_.end()) return {};
  Call call{.id = named->second};
  if (auto stranger = strangers_.extract(call.id); !stranger.empty()) {
    call.first = true;
    stranger.mapped().state = State::kInUse;
    in_use_.insert(std::move(stranger));
    --by_network_[peer.Network()].strangers;
  }
  Connection& connection = in_use_[call.id];
  call.intake = connection.intake;
  const int64_t pace_ns = kNanosPerSecond / limits_.calls_per_s;
  connection.calls_until_ns =
      pace_ns + std::max(connection.calls_until_ns, now - limits_.calls_in_a_row * pace_ns);
  if (held) ++connection.calls_at_once;
  call.too_many =
      connection.calls_until_ns > now || connection.calls_at_once > limits_.calls_at_once;
  return call;
}

void ConnectionTable::NoteCallEnd(Id id) {
  const auto found = in_use_.find(id);
  if (found != in_use_.end()) --found->second.calls_at_once;
}

std::optional<ConnectionTable::Id> ConnectionTable::NoteDevice(Id id, const std::string& device) {
  const auto found = in_use_.find(id);
  if (found == in_use_.end() || device.empty()) return std::nullopt;
  found->second.device = device;
  std::set<Id>& own = by_device_[device];
  own.insert(id);
  if (own.size() <= limits_.per_device) return std::nullopt;
  return *own.begin();
}

std::optional<ConnectionTable::Id> ConnectionTable::Dispensable(int64_t now) const {
  return Dispensable(now, nullptr);
}

std::optional<ConnectionTable::Id> ConnectionTable::Dispensable(int64_t now,
                                                                const PeerAddress* network) const {
  std::optional<Id> late;
  for (const auto& [id, connection] : strangers_) {
    if (network != nullptr && connection.peer.Network() != *network) continue;
    if (connection.state == State::kSilent) return id;
    if (!late && now - connection.since_ns >= limits_.handshake_grace_ns) late = id;
  }
  return late;
}

std::vector<ConnectionTable::Id> ConnectionTable::Overdue(int64_t now) const {
  std::vector<Id> overdue;
  for (const auto& [id, connection] : strangers_) {
    if (now - connection.since_ns < limits_.first_call_ns) break;  // the rest is younger
    overdue.push_back(id);
  }
  return overdue;
}

std::vector<ConnectionTable::Id> ConnectionTable::HandedOver() const {
  std::vector<Id> ids;
  for (const auto& [id, connection] : strangers_) {
    if (connection.state == State::kHandshake) ids.push_back(id);
  }
  for (const auto& [id, connection] : in_use_) ids.push_back(id);
  return ids;
}

ConnectionTable::Counts ConnectionTable::counts() const {
  const auto silent = static_cast<size_t>(
      std::count_if(strangers_.begin(), strangers_.end(),
                    [](const auto& entry) { return entry.second.state == State::kSilent; }));
  return {.silent = silent, .handshake = strangers_.size() - silent, .in_use = in_use_.size()};
}

}  // namespace gleaner::cloud
