// GET /datasets/{name}/card.json | card.txt | list.jsonl | exports/{number}/{file}, and the
// exports' files once more under /signed, for whoever has the URL (signed_url.h).
#pragma once

#include <vector>

#include "cloud/dataset/datasets.h"
#include "cloud/http/route.h"

namespace gleaner::cloud {

class DatasetFiles {
 public:
  // Both must outlive it.
  DatasetFiles(Datasets& datasets, Clock& clock) : datasets_(datasets), clock_(clock) {}

  std::vector<Route> Routes();

 private:
  void Serve(const HttpRequest& request, HttpResponse& response);
  void ServeSigned(const HttpRequest& request, HttpResponse& response);
  void ServeExported(const HttpRequest& request, HttpResponse& response, const std::string& path);

  Datasets& datasets_;
  Clock& clock_;
};

}  // namespace gleaner::cloud
