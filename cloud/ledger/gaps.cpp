#include "cloud/ledger/gaps.h"

#include <algorithm>

#include "cloud/database/columns.h"
#include "cloud/database/tally.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kNumbers = "gaps", kRanges = "gap_ranges";

std::vector<Range> ReadGaps(Sql& sql, std::string_view device, const std::string& boot_id) {
  std::vector<Range> gaps;
  Range gap;
  sql.Query("SELECT first, last FROM gap WHERE device = :device AND boot_id = :boot ORDER BY first",
            In(device, boot_id), Out(gap.first, gap.last), [&] { gaps.push_back(gap); });
  return gaps;
}

int64_t Numbers(const std::vector<Range>& ranges) {
  int64_t numbers = 0;
  for (const Range& range : ranges) numbers += static_cast<int64_t>(range.count());
  return numbers;
}

void Count(Sql& sql, std::string_view device, int64_t numbers, int64_t ranges) {
  if (numbers != 0) {
    Tally(sql, kNumbers, device, numbers);
    Tally(sql, kNumbers, "", numbers);
  }
  if (ranges != 0) Tally(sql, kRanges, device, ranges);
}

void Insert(Sql& sql, std::string_view device, const std::string& boot_id, const Range& gap) {
  sql.Run("INSERT INTO gap (device, boot_id, first, last) VALUES (:device, :boot, :first, :last)",
          In(device, boot_id, gap.first, gap.last));
}

}  // namespace

void ReplaceGaps(Sql& sql, std::string_view device, const std::string& boot_id,
                 std::vector<Range> gaps) {
  const std::vector<Range> known = ReadGaps(sql, device, boot_id);
  const uint64_t others = ReadTally(sql, kRanges, device) - known.size();
  const uint64_t room = kMaxGapRanges - std::min(kMaxGapRanges, others);
  if (gaps.size() > room) gaps.resize(room);
  if (known == gaps) return;
  sql.Run("DELETE FROM gap WHERE device = :device AND boot_id = :boot", In(device, boot_id));
  for (const Range& gap : gaps) Insert(sql, device, boot_id, gap);
  Count(sql, device, Numbers(gaps) - Numbers(known),
        static_cast<int64_t>(gaps.size()) - static_cast<int64_t>(known.size()));
}

void LeaveGap(Sql& sql, std::string_view device, const std::string& boot_id, uint64_t sequence) {
  Range gap;
  const bool found = sql.Query(
      "SELECT first, last FROM gap WHERE device = :device AND boot_id = :boot AND first <= "
      ":sequence ORDER BY first DESC LIMIT 1",
      In(device, boot_id, sequence), Out(gap.first, gap.last), [] {});
  if (!found || gap.last < sequence) return;
  sql.Run("DELETE FROM gap WHERE device = :device AND boot_id = :boot AND first = :first",
          In(device, boot_id, gap.first));
  int64_t ranges = -1;
  for (const Range& rest : {Range{gap.first, sequence - 1}, Range{sequence + 1, gap.last}}) {
    if (rest.first > rest.last) continue;
    Insert(sql, device, boot_id, rest);
    ++ranges;
  }
  Count(sql, device, -1, ranges);
}

void ListGaps(Sql& sql, std::string_view device, int limit,
              google::protobuf::RepeatedPtrField<v1::ClipKey>* keys) {
  std::string boot_id;
  Range gap;
  sql.Query(
      "SELECT boot_id, first, last FROM gap WHERE device = :device ORDER BY boot_id, first LIMIT "
      ":limit",
      In(device, limit), Out(boot_id, gap.first, gap.last), [&] {
        for (uint64_t number = gap.first; number <= gap.last && keys->size() < limit; ++number) {
          v1::ClipKey* key = keys->Add();
          key->set_boot_id(Unhex(boot_id));
          key->set_sequence(number);
        }
      });
}

}  // namespace gleaner::cloud
