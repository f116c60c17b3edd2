#include "cloud/curate/selector.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cloud/curate/selection_rows.h"
#include "common/crash_point.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;

v1::Selection Describe(const SelectJobOrder& order, const ReadPool& read,
                       const Selection& selection) {
  v1::Selection described;
  described.set_name(order.name);
  described.set_filter(order.filter);
  described.set_schema(order.schema);
  described.set_model(order.model);
  described.set_embedding_model(read.embedding_model);
  described.set_budget(static_cast<uint32_t>(order.selection.budget));
  for (const Arm& arm : order.selection.arms) {
    v1::SelectionArm* one = described.add_arms();
    one->set_strategy(arm.strategy);
    one->set_share(arm.share);
  }
  const Quotas& quotas = order.selection.quotas;
  described.mutable_quotas()->set_site(static_cast<uint32_t>(quotas.site));
  described.mutable_quotas()->set_device(static_cast<uint32_t>(quotas.device));
  described.mutable_quotas()->set_cluster(static_cast<uint32_t>(quotas.cluster));
  described.set_seed(order.selection.seed);
  described.set_picks(static_cast<uint32_t>(selection.picks.size()));
  for (const auto* notes : {&read.notes, &selection.notes}) {
    for (const std::string& note : *notes) described.add_notes(note);
  }
  *described.mutable_pool() = read.counts;
  described.set_made_by(order.by);
  return described;
}

std::vector<v1::SelectionPick> Describe(const ReadPool& read, const std::vector<Pick>& picks) {
  std::vector<v1::SelectionPick> described;
  for (const Pick& pick : picks) {
    const PoolFrame& frame = read.pool.frames[pick.frame];
    const FrameName& name = read.names[pick.frame];
    v1::SelectionPick& one = described.emplace_back();
    one.mutable_frame()->set_clip(name.clip);
    one.mutable_frame()->set_camera(name.camera);
    one.mutable_frame()->set_pts(name.pts);
    one.set_score(pick.score);
    one.set_reason(pick.reason);
    one.set_strategy(pick.strategy);
    one.set_device(read.pool.words[frame.device]);
    one.set_site(read.pool.words[frame.site]);
    one.set_cluster(frame.cluster);
    one.set_predicted(read.pool.words[frame.guess.first]);
  }
  return described;
}

}  // namespace

std::string SelectJobOrder::ToJson() const {
  json arms = json::array();
  for (const Arm& arm : selection.arms) arms.push_back({arm.strategy, arm.share});
  return json{
      {"name", name},
      {"filter", filter},
      {"schema", schema},
      {"model", model},
      {"embedding_model", embedding_model},
      {"by", by},
      {"as_of_ns", as_of_ns},
      {"budget", selection.budget},
      {"arms", arms},
      {"quotas", {selection.quotas.site, selection.quotas.device, selection.quotas.cluster}},
      {"seed", selection.seed}}
      .dump();
}

absl::StatusOr<SelectJobOrder> SelectJobOrder::FromJson(std::string_view text) {
  const json parsed = json::parse(text, nullptr, false);
  try {
    SelectJobOrder order;
    order.name = parsed.at("name");
    order.filter = parsed.at("filter");
    order.schema = parsed.at("schema");
    order.model = parsed.at("model");
    order.embedding_model = parsed.at("embedding_model");
    order.by = parsed.at("by");
    order.as_of_ns = parsed.at("as_of_ns");
    order.selection.budget = parsed.at("budget");
    for (const json& arm : parsed.at("arms"))
      order.selection.arms.push_back({arm.at(0), arm.at(1)});
    const json& quotas = parsed.at("quotas");
    order.selection.quotas = {quotas.at(0), quotas.at(1), quotas.at(2)};
    order.selection.seed = parsed.at("seed");
    return order;
  } catch (const json::exception&) {
    return absl::InvalidArgumentError("the job's parameters are none of this kind");
  }
}

JobKind Selector::Kind() {
  return {.name = std::string(kSelectJob),
          .at_once = 1,
          .run = [this](JobRun& run) { return Run(run); },
          .on_given_up = {}};
}

absl::Status Selector::Run(JobRun& run) {
  ASSIGN_OR_RETURN(const SelectJobOrder order, SelectJobOrder::FromJson(run.job().parameters()));
  PoolOrder wanted{.filter = {},
                   .schema = order.schema,
                   .model = order.model,
                   .embedding_model = order.embedding_model,
                   .seed = order.selection.seed};
  ASSIGN_OR_RETURN(wanted.filter,
                   ParseFilter(order.filter, order.as_of_ns, words_, FilterOf::kFrames));
  if (!wanted.filter.empty()) {
    ASSIGN_OR_RETURN(wanted.known,
                     ParseFilter("reviewed:yes", order.as_of_ns, words_, FilterOf::kFrames));
  }
  run.Report(0, "looking for frames");
  ASSIGN_OR_RETURN(const ReadPool read, reader_.Read(wanted, run.stop(), [&](size_t frames) {
    run.Report(0, Count(frames, "frame") + " read");
  }));
  GLEANER_CRASH_POINT("curate.pool_read");
  run.Report(0.5, fmt::format("choosing {} of {}", order.selection.budget,
                              Count(read.pool.frames.size(), "frame")));
  ASSIGN_OR_RETURN(const Selection selection, Select(read.pool, order.selection, run.stop()));
  if (selection.picks.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("there is nothing to choose: of {} that the filter finds {} without a label",
                    Count(read.counts.frames(), "frame"), "none is"));
  }
  v1::Selection row = Describe(order, read, selection);
  const std::vector<v1::SelectionPick> picks = Describe(read, selection.picks);
  GLEANER_CRASH_POINT("curate.chosen");
  row.set_made_unix_ns(clock_.WallNs());
  return run.Finish(fmt::format("{} of {}", row.picks(), Count(row.pool().frames(), "frame")),
                    [&](Sql& sql) -> absl::Status {
                      if (HasSelection(sql, row.name())) {
                        return absl::FailedPreconditionError(
                            fmt::format("there is a selection {} already", row.name()));
                      }
                      InsertSelection(sql, row, picks);
                      return absl::OkStatus();
                    });
}

}  // namespace gleaner::cloud
