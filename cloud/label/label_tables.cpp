#include "cloud/label/label_tables.h"

#include <array>

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 4> kMigrations = {
    R"(
  -- body: v1.LabelSchema.
  CREATE TABLE label_schema (
    number NUMBERED, name TEXT NOT NULL, version BIGINT NOT NULL, body BYTES NOT NULL);
  CREATE UNIQUE INDEX label_schema_version ON label_schema (name, version);
  APPEND_ONLY label_schema;

  -- A frame that something was said of, with what describes it: it outlives a later check of its
  -- clip, which may choose other frames.
  CREATE TABLE label_frame (
    number NUMBERED, clip TEXT NOT NULL, camera TEXT NOT NULL, pts BIGINT NOT NULL,
    width BIGINT NOT NULL, height BIGINT NOT NULL, device TEXT NOT NULL, site TEXT NOT NULL,
    rule TEXT NOT NULL, taken_ns BIGINT NOT NULL);
  CREATE UNIQUE INDEX label_frame_id ON label_frame (clip, camera, pts);
  APPEND_ONLY label_frame;

  -- body, here and below: v1.Annotation.
  CREATE TABLE prediction (
    number NUMBERED, frame BIGINT NOT NULL, schema_name TEXT NOT NULL, version BIGINT NOT NULL,
    model TEXT NOT NULL, model_version TEXT NOT NULL, body BYTES NOT NULL,
    created_ns BIGINT NOT NULL, created_by TEXT NOT NULL);
  CREATE UNIQUE INDEX prediction_of ON prediction (frame, schema_name, version, model,
    model_version);
  APPEND_ONLY prediction;

  CREATE TABLE label (
    number NUMBERED, frame BIGINT NOT NULL, schema_name TEXT NOT NULL, version BIGINT NOT NULL,
    task BIGINT NOT NULL, prediction BIGINT NOT NULL, verdict BIGINT NOT NULL,
    reviewer TEXT NOT NULL, role BIGINT NOT NULL, human_ms BIGINT NOT NULL,
    made_ns BIGINT NOT NULL, body BYTES NOT NULL);
  CREATE INDEX label_frame_schema ON label (frame, schema_name, number);
  CREATE INDEX label_schema_number ON label (schema_name, number);
  APPEND_ONLY label;

  -- The newest label of a frame and schema, in the order of FrameId.
  CREATE TABLE label_current (
    schema_name TEXT NOT NULL, clip TEXT NOT NULL, camera TEXT NOT NULL, pts BIGINT NOT NULL,
    label BIGINT NOT NULL, PRIMARY KEY (schema_name, clip, camera, pts));

  -- body: v1.TaskSet as it was made.
  CREATE TABLE label_task_set (
    number NUMBERED, body BYTES NOT NULL, open BIGINT NOT NULL, done BIGINT NOT NULL,
    skipped BIGINT NOT NULL);

  -- state, kind: those of v1.Task. turn: see task_sets.h. free_ns: until when it is its holder's, 0
  -- for nobody's. not_for: who has, or was the last to have, the other of a pair, or made the label
  -- that is looked at again. shown: the pre-label as it is shown, where there is one.
  CREATE TABLE label_task (
    number NUMBERED, task_set BIGINT NOT NULL, frame BIGINT NOT NULL, schema_name TEXT NOT NULL,
    version BIGINT NOT NULL, state BIGINT NOT NULL, kind BIGINT NOT NULL, priority BIGINT NOT NULL,
    turn BIGINT NOT NULL, free_ns BIGINT NOT NULL, holder TEXT NOT NULL, not_for TEXT NOT NULL,
    pair BIGINT NOT NULL, prediction BIGINT NOT NULL, shown BYTES NOT NULL, reason TEXT NOT NULL);
  CREATE INDEX label_task_next ON label_task (schema_name, priority DESC, turn, number, free_ns,
    not_for) WHERE state = 1;
  CREATE INDEX label_task_held ON label_task (holder, schema_name, free_ns) WHERE state = 1;
  CREATE INDEX label_task_frame ON label_task (frame, schema_name) WHERE state = 1;
  CREATE INDEX label_task_set_number ON label_task (task_set, number);
)",
    R"(
  -- For the last turn that was taken.
  CREATE INDEX label_task_taken ON label_task (schema_name, priority, turn) WHERE holder <> '';
)",
    R"(
  -- See said_classes.h. confidence: in millionths.
  CREATE TABLE label_class (
    label BIGINT NOT NULL, class TEXT NOT NULL, PRIMARY KEY (label, class));
  CREATE INDEX label_class_name ON label_class (class, label);
  CREATE TABLE prediction_class (
    prediction BIGINT NOT NULL, class TEXT NOT NULL, confidence BIGINT NOT NULL,
    PRIMARY KEY (prediction, class));
  CREATE INDEX prediction_class_name ON prediction_class (class, confidence, prediction);
  CREATE INDEX label_current_frame ON label_current (clip, camera, pts);
  CREATE INDEX label_current_label ON label_current (label);

  -- Those of before, until a job has listed their classes. what: which table.
  CREATE TABLE label_unlisted (
    what TEXT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (what, number));
  INSERT INTO label_unlisted (what, number) SELECT 'label', number FROM label;
  INSERT INTO label_unlisted (what, number) SELECT 'prediction', number FROM prediction;
  INSERT INTO job (kind, subject, share, state, priority, run_after_ns, attempts, max_attempts,
    claims, lease_ns, created_ns, started_ns, ended_ns, worker, progress, doing, parameters, result,
    error, cancel)
    SELECT 'label-classes', '', 'labels', 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, '', 0, '', '', '', '', 0
      WHERE EXISTS (SELECT 1 FROM label_unlisted);
  DELETE FROM tally WHERE dimension = 'job' AND value = '1 label-classes';
  INSERT INTO tally (dimension, value, clips, bytes)
    SELECT 'job', '1 label-classes', COUNT(*), 0 FROM job WHERE kind = 'label-classes' AND state = 1;
)",
    R"(
  -- For the next tasks of one set, and how many of it somebody has.
  CREATE INDEX label_task_next_of_set ON label_task (task_set, turn, number, free_ns, not_for)
    WHERE state = 1;
  CREATE INDEX label_task_held_of_set ON label_task (task_set, free_ns)
    WHERE state = 1 AND holder <> '';
)"};

}  // namespace

RoomTables LabelTables() { return {.room = "label", .migrations = kMigrations}; }

}  // namespace gleaner::cloud
