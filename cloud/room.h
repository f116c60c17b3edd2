// What a room of the server brings, so that a new one comes in by one line in rooms.cpp: tables,
// calls for devices and for people, routes, words of filters, jobs, metrics, a say in whether the
// server is ready, and its way to stop. It is a class of its own in the room's folder
// (ingest/ingest_room.cpp); a room that has tables only is a RoomEntry without `open`.
#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/access/tokens.h"
#include "cloud/database/database.h"
#include "cloud/events/events.h"
#include "cloud/http/route.h"
#include "cloud/ingest/uploads.h"
#include "cloud/jobs/job_runner.h"
#include "cloud/jobs/jobs.h"
#include "cloud/media/checked_frames.h"
#include "cloud/search/filter_word.h"
#include "cloud/search/vocabulary.h"
#include "cloud/server_config.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/object_store.h"
#include "cloud/store/upload_staging.h"
#include "common/clock.h"
#include "prometheus/metric_family.h"

namespace gleaner::cloud {

// What rooms share. All of it outlives them.
struct RoomContext {
  const ServerConfig& config;
  Clock& clock;
  Database& database;
  BlobNames& names;
  UploadStaging& staging;
  ObjectStore& objects;
  Jobs& jobs;
  Tokens& tokens;
  Events& events;
  // What rooms write in the transaction that commits a clip: added to while they are opened.
  std::vector<Uploads::WithClip>& with_clip;
  // The same for the transaction that records what a look at a clip's media found.
  std::vector<WithCheck>& with_check;
  // The words of filters, from all rooms: whole once every room is open.
  const Vocabulary& words;
};

// A service for people, through the gateway: see http/gateway.h.
struct PeopleService {
  std::string_view name;  // v1::JobsService::service_full_name()
  grpc::Service* service;
};

// All methods are called on one thread but for Metrics and Ready, which may be called by any at any
// time between Begin and Stop.
class Room {
 public:
  virtual ~Room() = default;

  // Of gRPC's callback API, behind a device's certificate: see rpc/device_server.h. It knows who
  // calls and may never block.
  virtual std::vector<grpc::Service*> ForDevices() { return {}; }
  virtual std::vector<PeopleService> ForPeople() { return {}; }
  // What it answers over HTTP by itself, where a call doesn't fit: see http/route.h.
  virtual std::vector<Route> Routes() { return {}; }
  // Words by which filters find what it keeps: see search/filter_word.h.
  virtual std::vector<FilterWord> FilterWords() { return {}; }
  // What is done in the background, by servers that do such work: see jobs/job_runner.h.
  virtual std::vector<JobKind> JobKinds() { return {}; }
  // Gathered at each scrape of /metrics.
  virtual std::vector<prometheus::MetricFamily> Metrics() { return {}; }
  // Why this server can't do its work, in a sentence. May take seconds.
  virtual absl::Status Ready() { return absl::OkStatus(); }

  // Every room is open, and nothing calls yet: what it does by itself begins.
  virtual void Begin() {}
  // It begins nothing more, and what it does by itself ends. Calls may still come, and end.
  virtual void Stop() {}
};

struct RoomEntry {
  RoomTables tables = {};  // without a name where it has none
  std::vector<NamingTable> naming = {};
  std::unique_ptr<Room> (*open)(RoomContext& context) = nullptr;
};

}  // namespace gleaner::cloud
