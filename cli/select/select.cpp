#include "cli/select/select.h"

#include <fmt/format.h>

#include <charconv>

#include "cli/filter.h"
#include "cli/job_wait.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/curate.pb.h"

namespace gleaner::cli {
namespace {

absl::Status ParseArm(const std::string& text, v1::SelectionArm* arm) {
  const size_t equals = text.find('=');
  arm->set_strategy(text.substr(0, equals));
  arm->set_share(1);
  if (equals == std::string::npos) return absl::OkStatus();
  double share = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + equals + 1, end, share);
  if (error != std::errc() || stopped != end) {
    return absl::InvalidArgumentError(fmt::format(
        "--mix: \"{}\" is not STRATEGY=SHARE, with a number such as 0.8", Printable(text)));
  }
  arm->set_share(share);
  return absl::OkStatus();
}

std::string MixOf(const v1::Selection& selection) {
  std::string mix;
  for (const v1::SelectionArm& arm : selection.arms()) {
    mix += fmt::format("{}{} {:.0f} %", mix.empty() ? "" : ", ", Printable(arm.strategy()),
                       100 * arm.share());
  }
  return mix;
}

std::string SecondsOf(uint64_t ms) {
  return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
}

}  // namespace

absl::Status CreateSelection(Client& client, const CreateSelectionOptions& options) {
  v1::CreateSelectionRequest request;
  request.set_name(options.name);
  request.set_schema(options.schema);
  request.set_filter(options.filter);
  request.set_model(options.model);
  request.set_embedding_model(options.embedding_model);
  request.set_budget(options.budget);
  for (const std::string& arm : options.mix) RETURN_IF_ERROR(ParseArm(arm, request.add_arms()));
  request.mutable_quotas()->set_site(options.per_site);
  request.mutable_quotas()->set_device(options.per_device);
  request.mutable_quotas()->set_cluster(options.per_cluster);
  request.set_seed(options.seed);
  v1::CreateSelectionResponse response;
  const absl::Status asked = client.Call("CurateService/CreateSelection", request, &response);
  if (!asked.ok()) return PointAt(options.filter, asked);
  if (!options.wait) return PrintJobToCome(response, response.job(), options.json);
  RETURN_IF_ERROR(WaitForJob(client, response.job(), options.progress));
  return ShowSelection(client, options.name, 0, options.json);
}

absl::Status ListSelections(Client& client, uint32_t limit, bool json) {
  ASSIGN_OR_RETURN(const v1::ListSelectionsResponse all,
                   ReadPages(client, "CurateService/ListSelections", v1::ListSelectionsRequest(),
                             &v1::ListSelectionsResponse::mutable_selections, limit));
  if (json) return PrintJsonText(ToJson(all));
  Table table({{"SELECTION"},
               {"SCHEMA"},
               {"PICKS", true},
               {"OF", true},
               {"MIX"},
               {"MADE"},
               {"BY"},
               {"FILTER"}});
  for (const v1::Selection& one : all.selections()) {
    table.Add({Printable(one.name()), Printable(one.schema()), std::to_string(one.picks()),
               std::to_string(one.pool().frames()), MixOf(one), LocalTime(one.made_unix_ns()),
               Printable(one.made_by()), Printable(one.filter())});
  }
  if (table.empty()) {
    fmt::print("No selection yet: gleaner select create makes one.\n");
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

absl::Status ShowSelection(Client& client, const std::string& name, uint32_t limit, bool json) {
  v1::GetSelectionRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::GetSelectionResponse all,
                   ReadPages(client, "CurateService/GetSelection", request,
                             &v1::GetSelectionResponse::mutable_picks, limit));
  if (json) return PrintJsonText(ToJson(all));
  const v1::Selection& selection = all.selection();
  const v1::SelectionPool& pool = selection.pool();
  fmt::print("chosen    {} of {}, by {} {}\n", selection.picks(), Count(pool.frames(), "frame"),
             Printable(selection.made_by()), LocalTime(selection.made_unix_ns()));
  fmt::print("mix       {}; seed {}\n", MixOf(selection), selection.seed());
  if (!selection.filter().empty()) fmt::print("filter    {}\n", Printable(selection.filter()));
  fmt::print(
      "known     {} labelled, {} with a prediction, {} with an embedding, {}; {} of empty "
      "background left out\n",
      pool.labelled(), pool.predicted(), pool.embedded(),
      Count(pool.clusters(), "cluster") + " of near-duplicates", pool.background());
  for (const std::string& note : selection.notes()) fmt::print("note      {}\n", Printable(note));
  Table table({{"FRAME"}, {"SITE"}, {"DEVICE"}, {"STRATEGY"}, {"SCORE", true}, {"REASON"}});
  for (const v1::SelectionPick& pick : all.picks()) {
    table.Add({fmt::format("{}/{}/{}", Printable(pick.frame().clip()),
                           Printable(pick.frame().camera()), pick.frame().pts()),
               Printable(pick.site()), Printable(pick.device()), Printable(pick.strategy()),
               fmt::format("{:.3f}", pick.score()), Printable(pick.reason())});
  }
  fmt::print("{}", table.Render());
  return absl::OkStatus();
}

absl::Status CompareSelections(Client& client, const std::string& from, const std::string& to,
                               bool json) {
  v1::CompareSelectionsRequest request;
  request.set_from(from);
  request.set_to(to);
  v1::CompareSelectionsResponse response;
  RETURN_IF_ERROR(client.Call("CurateService/CompareSelections", request, &response));
  if (json) return PrintJsonText(ToJson(response));
  fmt::print("in both   {}, {}\n", Count(response.both(), "frame"),
             Count(response.both_clusters(), "cluster"));
  Table outcome({{"SELECTION"},
                 {"PICKS", true},
                 {"CLUSTERS", true},
                 {"LABELLED SINCE", true},
                 {"ACCEPTED", true},
                 {"CORRECTED", true},
                 {"FROM SCRATCH", true},
                 {"OTHER CLASS", true},
                 {"SPENT", true},
                 {"GONE", true}});
  for (const v1::SelectionOutcome* one : {&response.from(), &response.to()}) {
    outcome.Add({Printable(one->selection().name()), std::to_string(one->selection().picks()),
                 std::to_string(one->clusters()), std::to_string(one->labelled()),
                 std::to_string(one->accepted()), std::to_string(one->corrected()),
                 std::to_string(one->created()), std::to_string(one->class_changed()),
                 SecondsOf(one->human_ms()), std::to_string(one->gone())});
  }
  fmt::print("{}", outcome.Render());
  Table differences({{"WHERE THEY DIFFER"}, {""}, {Printable(from), true}, {Printable(to), true}});
  for (const v1::SelectionDifference& one : response.differences()) {
    differences.Add({Printable(one.what()), one.value().empty() ? "-" : Printable(one.value()),
                     std::to_string(one.from()), std::to_string(one.to())});
  }
  if (!differences.empty()) fmt::print("{}", differences.Render());
  return absl::OkStatus();
}

absl::Status ListStrategies(Client& client, bool json) {
  v1::ListStrategiesResponse response;
  RETURN_IF_ERROR(
      client.Call("CurateService/ListStrategies", v1::ListStrategiesRequest(), &response));
  if (json) return PrintJsonText(ToJson(response));
  Table table({{"STRATEGY"}, {"WHAT IT CHOOSES"}});
  for (const v1::Strategy& one : response.strategies()) {
    table.Add({Printable(one.name()), Printable(one.about())});
  }
  fmt::print("{}", table.Render());
  return absl::OkStatus();
}

}  // namespace gleaner::cli
