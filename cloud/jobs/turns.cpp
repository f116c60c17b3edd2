#include "cloud/jobs/turns.h"

#include <algorithm>
#include <tuple>

namespace gleaner::cloud {

void Turns::Add(const std::string& share) {
  if (first_share_.empty()) first_share_ = share;
  several_ = several_ || share != first_share_;
  Account& account = accounts_[share];
  if (!account.waiting && account.running == 0) {
    account.used_ns = std::max(account.used_ns, even_ns_);
  }
  account.waiting = true;
}

Turns::Accounts::const_iterator Turns::Find() const {
  const size_t most = several_ && workers_ > 1 ? workers_ - 1 : workers_;
  auto best = accounts_.end();
  const auto rank = [](const Account& account) {
    return std::make_tuple(account.running, account.used_ns, account.last_turn);
  };
  for (auto it = accounts_.begin(); it != accounts_.end(); ++it) {
    if (!it->second.waiting || it->second.running >= most) continue;
    if (best == accounts_.end() || rank(it->second) < rank(best->second)) best = it;
  }
  return best;
}

std::optional<std::string> Turns::Next() {
  const auto found = Find();
  if (found == accounts_.end()) return std::nullopt;
  Account& account = accounts_[found->first];
  account.waiting = false;
  ++account.running;
  account.last_turn = ++turns_;
  even_ns_ = std::max(even_ns_, account.used_ns);
  return found->first;
}

void Turns::Done(const std::string& share, int64_t used_ns) {
  Account& account = accounts_[share];
  --account.running;
  account.used_ns += used_ns;
  ForgetIfEven(share);
}

void Turns::ForgetIfEven(const std::string& share) {
  const auto found = accounts_.find(share);
  const Account& account = found->second;
  if (!account.waiting && account.running == 0 && account.used_ns <= even_ns_) {
    accounts_.erase(found);
  }
}

}  // namespace gleaner::cloud
