#include "notes/notes_room.h"

#include <array>
#include <sstream>

#include "cloud/access/audit.h"
#include "cloud/http/respond.h"
#include "cloud/rpc/answer.h"
#include "common/status.h"
#include "notes/notes.grpc.pb.h"

namespace gleaner::cloud {
namespace {

// Its table.
constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE note (number NUMBERED, clip TEXT NOT NULL, text TEXT NOT NULL,
    words BIGINT NOT NULL);
)"};

class Notes : public Room, public test::NotesService::Service {
 public:
  explicit Notes(RoomContext& context) : database_(context.database), clock_(context.clock) {}

  std::vector<PeopleService> ForPeople() override {
    return {{test::NotesService::service_full_name(), this}};
  }
  std::vector<Route> Routes() override {
    return {Route("GET", "/notes.txt", v1::ROLE_VIEWER,
                  [this](const HttpRequest& request, const Principal&, HttpResponse& response) {
                    std::string text;
                    const auto notes = Read().value_or(test::ListNotesResponse());
                    for (const auto& note : notes.notes()) text += note.text() + "\n";
                    Respond(request, response, 200, text, "text/plain");
                  })};
  }
  std::vector<FilterWord> FilterWords() override {
    return {{.key = "noted",
             .value = FilterWord::Value::kOneOf,
             .one_of = {"yes"},
             .help = "clips with a note",
             .example = "noted:yes",
             .condition = [](const FilterTerm&, FilterSql&) {
               return "EXISTS (SELECT 1 FROM note WHERE note.clip = clip.id)";
             }}};
  }
  std::vector<JobKind> JobKinds() override {
    return {{.name = "count-words", .run = [this](JobRun& run) { return CountWords(run); }}};
  }
  std::vector<prometheus::MetricFamily> Metrics() override {
    prometheus::ClientMetric metric;
    metric.gauge.value =
        static_cast<double>(Read().value_or(test::ListNotesResponse()).notes_size());
    return {{"gleaner_notes", "Notes on clips.", prometheus::MetricType::Gauge, {metric}}};
  }

  grpc::Status AddNote(grpc::ServerContext* context, const test::AddNoteRequest* request,
                       test::AddNoteResponse*) override {
    const auto audit = Audited(*context, "NotesService/AddNote", request->clip(), clock_);
    return ToCaller(database_.Write([&](Sql& sql) -> absl::Status {
      RETURN_IF_ERROR(audit(sql));
      uint64_t number = 0;
      sql.Query("INSERT INTO note (clip, text, words) VALUES (:clip, :text, 0) RETURNING number",
                In(request->clip(), request->text()), Out(number), [] {});
      AddJob(sql, {.kind = "count-words", .subject = std::to_string(number)}, clock_.WallNs());
      return absl::OkStatus();
    }));
  }
  grpc::Status ListNotes(grpc::ServerContext*, const test::ListNotesRequest*,
                         test::ListNotesResponse* response) override {
    return Answer(Read(), response);
  }

 private:
  absl::StatusOr<test::ListNotesResponse> Read() {
    return database_.Read([](Sql& sql) -> absl::StatusOr<test::ListNotesResponse> {
      test::ListNotesResponse response;
      std::string clip, text;
      uint32_t words = 0;
      sql.Query("SELECT clip, text, words FROM note ORDER BY number", In(), Out(clip, text, words),
                [&] {
                  test::Note* note = response.add_notes();
                  note->set_clip(clip);
                  note->set_text(text);
                  note->set_words(words);
                });
      return response;
    });
  }

  absl::Status CountWords(JobRun& run) {
    return run.Finish("counted", [&](Sql& sql) -> absl::Status {
      const uint64_t number = std::stoull(run.job().subject());
      std::string text, word;
      sql.Query("SELECT text FROM note WHERE number = :number", In(number), Out(text), [] {});
      std::istringstream in(text);
      uint32_t words = 0;
      while (in >> word) ++words;
      sql.Run("UPDATE note SET words = :words WHERE number = :number", In(words, number));
      return absl::OkStatus();
    });
  }

  Database& database_;
  Clock& clock_;
};

}  // namespace

RoomEntry NotesRoom() {
  return {.tables = {.room = "notes", .migrations = kMigrations},
          .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<Notes>(context);
          }};
}

}  // namespace gleaner::cloud
