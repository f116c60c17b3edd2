#include "cloud/curate/selections.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "cloud/curate/comparison.h"
#include "cloud/curate/selector.h"
#include "cloud/label/schemas.h"
#include "cloud/search/filter.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint32_t kDefaultPage = 60, kMaxPage = 500;
constexpr uint32_t kDefaultBudget = 20;
constexpr size_t kMaxModelName = 128;
constexpr int kMaxArms = 16;

absl::StatusOr<size_t> PageSize(uint32_t asked) {
  if (asked > kMaxPage) {
    return absl::InvalidArgumentError(
        fmt::format("page_size is {}, must be 1 to {}", asked, kMaxPage));
  }
  return asked == 0 ? kDefaultPage : asked;
}

// What a token says; `without` where there is none.
absl::StatusOr<uint64_t> ParseToken(const std::string& token, uint64_t without) {
  if (token.empty()) return without;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (error != std::errc() || end != token.data() + token.size() ||
      number > std::numeric_limits<int64_t>::max()) {
    return absl::InvalidArgumentError("page_token is not one that this server gave");
  }
  return number;
}

absl::StatusOr<SelectJobOrder> OrderOf(const v1::CreateSelectionRequest& request) {
  if (!IsName(request.name())) {
    return absl::InvalidArgumentError("name: " + NotAName(request.name()));
  }
  if (!IsName(request.schema())) {
    return absl::InvalidArgumentError("schema: " + NotAName(request.schema()));
  }
  for (const auto& [field, text] :
       {std::pair<const char*, const std::string&>{"model", request.model()},
        {"embedding_model", request.embedding_model()}}) {
    if (text.size() > kMaxModelName || std::any_of(text.begin(), text.end(), [](char c) {
          return static_cast<unsigned char>(c) < ' ';
        })) {
      return absl::InvalidArgumentError(
          fmt::format("{}: the name of a model, at most {} bytes", field, kMaxModelName));
    }
  }
  if (request.arms_size() > kMaxArms) {
    return absl::InvalidArgumentError(
        fmt::format("arms has {} entries, at most {} fit", request.arms_size(), kMaxArms));
  }
  SelectJobOrder order{.name = request.name(),
                       .filter = request.filter(),
                       .schema = request.schema(),
                       .model = request.model(),
                       .embedding_model = request.embedding_model(),
                       .by = {},
                       .selection = {}};
  std::vector<Arm> arms;
  for (const v1::SelectionArm& arm : request.arms()) arms.push_back({arm.strategy(), arm.share()});
  auto mix = CompleteMix(std::move(arms));
  if (!mix.ok()) return absl::InvalidArgumentError(fmt::format("arms: {}", Message(mix.status())));
  order.selection = {.budget = request.budget() == 0 ? kDefaultBudget : request.budget(),
                     .arms = *std::move(mix),
                     .quotas = {.site = request.quotas().site(),
                                .device = request.quotas().device(),
                                .cluster = request.quotas().cluster()},
                     .seed = request.seed()};
  const auto shares = SharesOfBudget(order.selection.arms, order.selection.budget);
  if (!shares.ok()) {
    return absl::InvalidArgumentError(fmt::format("budget: {}", Message(shares.status())));
  }
  return order;
}

}  // namespace

absl::StatusOr<v1::Job> Selections::Create(const v1::CreateSelectionRequest& request,
                                           std::string by, const Database::Operation& with) {
  ASSIGN_OR_RETURN(SelectJobOrder order, OrderOf(request));
  order.by = std::move(by);
  order.as_of_ns = clock_.WallNs();
  RETURN_IF_ERROR(ParseFilter(order.filter, order.as_of_ns, words_, FilterOf::kFrames).status());
  uint64_t number = 0;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    RETURN_IF_ERROR(ReadSchema(sql, order.schema).status());
    if (HasSelection(sql, order.name)) {
      return absl::AlreadyExistsError(
          fmt::format("there is a selection {} already, and none ever changes", order.name));
    }
    RETURN_IF_ERROR(with(sql));
    number = AddJob(sql,
                    {.kind = kSelectJob,
                     .subject = order.name,
                     .share = "curate",
                     .parameters = order.ToJson()},
                    order.as_of_ns);
    return absl::OkStatus();
  }));
  return jobs_.Get(number);
}

absl::StatusOr<v1::ListSelectionsResponse> Selections::List(
    const v1::ListSelectionsRequest& request) {
  ASSIGN_OR_RETURN(const size_t page, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const uint64_t before,
                   ParseToken(request.page_token(), std::numeric_limits<int64_t>::max()));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListSelectionsResponse> {
    v1::ListSelectionsResponse response;
    const auto rows = ReadSelections(sql, before, page + 1);
    for (size_t i = 0; i < std::min(rows.size(), page); ++i) {
      *response.add_selections() = rows[i].selection;
    }
    if (rows.size() > page) response.set_next_page_token(std::to_string(rows[page - 1].number));
    return response;
  });
}

absl::StatusOr<v1::GetSelectionResponse> Selections::Get(const v1::GetSelectionRequest& request) {
  ASSIGN_OR_RETURN(const size_t page, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const uint64_t from, ParseToken(request.page_token(), 0));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::GetSelectionResponse> {
    ASSIGN_OR_RETURN(SelectionRow row, ReadSelection(sql, request.name()));
    v1::GetSelectionResponse response;
    for (v1::SelectionPick& pick : ReadPicks(sql, row.number, from, page)) {
      *response.add_picks() = std::move(pick);
    }
    if (from + page < row.selection.picks()) {
      response.set_next_page_token(std::to_string(from + page));
    }
    *response.mutable_selection() = std::move(row.selection);
    return response;
  });
}

absl::StatusOr<v1::CompareSelectionsResponse> Selections::Compare(
    const v1::CompareSelectionsRequest& request) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::CompareSelectionsResponse> {
    ASSIGN_OR_RETURN(const SelectionRow from, ReadSelection(sql, request.from()));
    ASSIGN_OR_RETURN(const SelectionRow to, ReadSelection(sql, request.to()));
    return CompareRows(sql, from, to);
  });
}

}  // namespace gleaner::cloud
