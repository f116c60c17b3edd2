#include <fmt/format.h>

#include <string>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/filter.pb.h"

namespace gleaner::cli {
namespace {

// "yes, no, unknown"; what isn't a list is in the help.
std::string Listed(const v1::FilterWord& word) {
  std::string text;
  for (const std::string& one : word.one_of()) text += (text.empty() ? "" : ", ") + one;
  return text;
}

}  // namespace

absl::Status ListFilterWords(Client& client, bool json) {
  const v1::GetFilterWordsRequest request;
  if (json) {
    ASSIGN_OR_RETURN(const std::string answer,
                     client.CallJson("FilterService/GetFilterWords", request));
    return PrintJsonText(answer);
  }
  v1::GetFilterWordsResponse response;
  RETURN_IF_ERROR(client.Call("FilterService/GetFilterWords", request, &response));
  Table table({{"KEY"}, {"FINDS"}, {"EXAMPLE"}, {"MEANS"}});
  for (const v1::FilterWord& word : response.words()) {
    const std::string listed = Listed(word);
    table.Add({Printable(word.key()), word.of_clips() ? "clips, frames" : "frames",
               Printable(word.example()),
               Printable(word.help() + (listed.empty() ? "" : ": " + listed))});
  }
  fmt::print(
      "{}\nTerms side by side must all hold; a comma between values means \"or\", and so does the "
      "word\nor between terms; - before a term or a parenthesis negates it:\n  (label:bottle or "
      "predicted:bottle>0.6) -background:yes\n",
      table.Render());
  return absl::OkStatus();
}

absl::Status CountFrames(Client& client, const CountFramesOptions& options) {
  v1::GetFrameFacetsRequest request;
  request.set_filter(options.filter);
  for (const std::string& key : options.keys) request.add_keys(key);
  if (options.json) {
    auto answer = client.CallJson("FilterService/GetFrameFacets", request);
    if (!answer.ok()) return PointAt(options.filter, answer.status());
    return PrintJsonText(*answer);
  }
  v1::GetFrameFacetsResponse response;
  const absl::Status asked = client.Call("FilterService/GetFrameFacets", request, &response);
  if (!asked.ok()) return PointAt(options.filter, asked);
  Table table({{"WORD"}, {"VALUE"}, {"FRAMES", true}});
  for (const v1::FrameFacet& facet : response.facets()) {
    for (const v1::FacetValue& one : facet.values()) {
      table.Add({Printable(facet.key()), one.value().empty() ? "\"\"" : Printable(one.value()),
                 std::to_string(one.frames())});
    }
  }
  if (!table.empty()) fmt::print("{}\n", table.Render());
  fmt::print("{}{}\n", Count(response.frames(), "frame"),
             response.frames() >= 10'000 ? ", the newest of more" : "");
  return absl::OkStatus();
}

}  // namespace gleaner::cli
