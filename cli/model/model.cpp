#include "cli/model/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "cli/filter.h"
#include "cli/json.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "gleaner/v1/model.pb.h"

namespace gleaner::cli {

absl::Status ListModels(Client& client, bool json) {
  v1::ListModelsResponse response;
  RETURN_IF_ERROR(client.Call("ModelService/ListModels", v1::ListModelsRequest(), &response));
  if (json) return PrintJsonText(ToJson(response));
  Table table({{"MODEL"},
               {"VERSION"},
               {"KIND"},
               {"SCHEMA"},
               {"CLASSES"},
               {"EMBEDDING"},
               {"FRAMES", true},
               {"STATE"}});
  for (const v1::Model& model : response.models()) {
    std::vector<std::string> classes;
    for (const std::string& name : model.classes()) classes.push_back(Printable(name));
    table.Add({Printable(model.name()), Printable(model.version()), Printable(model.kind()),
               Printable(model.schema()), fmt::format("{}", fmt::join(classes, ",")),
               model.embedding() ? "yes" : "no", std::to_string(model.frames()),
               model.missing().empty() ? "runs" : Printable(model.missing())});
  }
  if (table.empty()) {
    fmt::print("No models: the server's configuration names none ([[model]]).\n");
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

absl::Status RunModel(Client& client, const std::string& name, const std::string& filter,
                      bool json) {
  v1::RunModelRequest request;
  request.set_model(name);
  request.set_filter(filter);
  v1::RunModelResponse all;
  do {
    v1::RunModelResponse page;
    const absl::Status asked = client.Call("ModelService/RunModel", request, &page);
    if (!asked.ok()) return json ? asked : PointAt(filter, asked);
    all.set_clips(all.clips() + page.clips());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (json) return PrintJsonText(ToJson(all));
  fmt::print("{} clips. See: gleaner jobs list --kind model-{}\n", all.clips(), Printable(name));
  return absl::OkStatus();
}

}  // namespace gleaner::cli
