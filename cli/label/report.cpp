#include <fmt/format.h>

#include "cli/json.h"
#include "cli/label/label.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"

namespace gleaner::cli {
namespace {

// "4.1 s (3.8 to 4.5)", of nothing "-"; of a single one there is no interval. `scale`: 100 for
// percent.
std::string Interval(const v1::Measured& measured, double scale, const char* unit, int digits) {
  if (measured.labels() == 0) return "-";
  if (measured.labels() == 1) {
    return fmt::format("{:.{}f}{} (of one)", scale * measured.mean(), digits, unit);
  }
  return fmt::format("{:.{}f}{} ({:.{}f} to {:.{}f})", scale * measured.mean(), digits, unit,
                     scale * measured.low(), digits, scale * measured.high(), digits);
}

std::string LineName(const v1::LabelReportLine& line) {
  if (!line.class_name().empty()) return Printable(line.class_name());
  if (!line.model().empty()) {
    return Printable(fmt::format("{} {}", line.model(), line.model_version()));
  }
  return "all";
}

}  // namespace

absl::Status ShowLabelReport(Client& client, const v1::GetLabelReportRequest& request, bool json) {
  v1::GetLabelReportResponse report;
  RETURN_IF_ERROR(client.Call("LabelService/GetLabelReport", request, &report));
  if (json) return PrintJsonText(ToJson(report));
  if (report.labels() == 0) {
    fmt::print("No labels of tasks yet.\n");
    return absl::OkStatus();
  }
  fmt::print("{}\n", Printable(report.lines(0).words()));
  if (report.scripted()) {
    fmt::print("Scripted: all of these labels are a script's, no person's.\n");
  } else if (report.partly_scripted()) {
    fmt::print("Partly scripted: some of these labels are a script's, no person's.\n");
  }
  Table table({{"OF"},
               {"WITH", true},
               {"SECONDS WITH", true},
               {"WITHOUT", true},
               {"SECONDS WITHOUT", true},
               {"ACCURACY WITH", true},
               {"ACCURACY WITHOUT", true}});
  for (const v1::LabelReportLine& line : report.lines()) {
    table.Add(
        {LineName(line), std::to_string(line.seconds_with().labels()),
         Interval(line.seconds_with(), 1, " s", 1), std::to_string(line.seconds_without().labels()),
         Interval(line.seconds_without(), 1, " s", 1), Interval(line.accuracy_with(), 100, " %", 0),
         Interval(line.accuracy_without(), 100, " %", 0)});
  }
  fmt::print("{}", table.Render());
  fmt::print("agreement of two people  kappa {}, {}\n", Interval(report.kappa(), 1, "", 2),
             Count(report.kappa().labels(), "frame"));
  fmt::print("known mistakes put right {}, {}\n", Interval(report.caught(), 100, " %", 0),
             Count(report.caught().labels(), "label"));
  fmt::print("Intervals are of 95 %, by bootstrap; {} read{}.\n", Count(report.labels(), "label"),
             report.more_labels() ? ", the newest; there are more" : "");
  return absl::OkStatus();
}

}  // namespace gleaner::cli
