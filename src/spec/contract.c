/* contract.c - the field tables of contract.h. */
#include "spec/contract.h"

const char *const job_status_names[] = {"pending", "queued",    "running", "completed",
                                        "failed",  "cancelled", NULL};
const char *const job_wish_names[] = {"none", "pause", "finish", NULL};
const char *const work_kind_names[] = {"train", "test", NULL};
const char *const report_kind_names[] = {"started",   "progress", "epoch",     "checkpoint", "log",
                                         "completed", "failed",   "cancelled", NULL};
const char *const log_level_names[] = {"debug", "info", "warning", "error", NULL};

#define REQ  .flags = FIELD_REQUIRED
#define KEY  .max = 256
#define PATH .max = 4096

#define S struct log_line
const struct field log_line_fields[] = {
    F_INT(S, time, .help = "Unix time in milliseconds."),
    F_ENUM(S, level, log_level_names, .dflt = "\"info\"", .help = "Severity."),
    F_STR(S, message, .max = 8192, .help = "One line."),
    F_INT(S, epoch, .help = "Epoch during which it was written."), FIELD_END};
#undef S

#define S struct checkpoint
const struct field checkpoint_fields[] = {
    F_INT(S, epoch, .help = "Epochs completed."),
    F_BOOL(S, is_best, .help = "Best score so far."),
    F_BOOL(S, is_last, .help = "The newest; what a resume continues from."),
    F_BOOL(S, is_periodic, .help = "Kept because of checkpoint_every."),
    F_STR(S, metric, .max = 64, .help = "Name of the score."),
    F_NUM(S, value, .help = "The score at this epoch."),
    F_STR(S, weights_key, KEY, .help = "Object key of the weights (safetensors)."),
    F_STR(S, weights_path, PATH, .help = "Local file of the weights."),
    F_STR(S, weights_sha256, .max = 64, .help = "SHA-256 of the weights file."),
    F_INT(S, weights_bytes, .help = "Size of the weights file in bytes."),
    F_STR(S, state_key, KEY, .help = "Object key of the optimiser state."),
    F_STR(S, state_path, PATH, .help = "Local file of the optimiser state."),
    F_STR(S, state_sha256, .max = 64, .help = "SHA-256 of the state file."),
    F_INT(S, state_bytes, .help = "Size of the state file in bytes."),
    F_STR(S, manifest_key, KEY, .help = "Object key of this record, written last."),
    FIELD_END};
#undef S

#define S struct validation
const struct field validation_fields[] = {
    F_INT(S, epoch, .help = "Epoch that was validated; 0 for a test."),
    F_STR(S, split, .max = 16, .help = "Split that was scored."),
    F_STR(S, key, KEY, .help = "Object key of the results (JSON lines)."),
    F_STR(S, path, PATH, .help = "Local file of the results."),
    F_STR(S, sha256, .max = 64, .help = "SHA-256 of the results."),
    F_INT(S, bytes, .help = "Size of the results in bytes."),
    FIELD_END};
#undef S

#define S struct best
const struct field best_fields[] = {F_INT(S, epoch, .help = "Epoch of the best score."),
                                    F_STR(S, metric, .max = 64, .help = "Name of the score."),
                                    F_NUM(S, value, .help = "The score."), FIELD_END};
#undef S

#define S struct engine
const struct field engine_fields[] = {
    F_STR(S, version, .max = 64, .help = "Version of the program that trains."),
    F_STR(S, backend, .max = 64, .help = "Kernels: onednn, portable."),
    F_STR(S, isa, .max = 64, .help = "Instruction set: avx512, avx2, base."),
    F_STR(S, onednn, .max = 64, .help = "Version of oneDNN, if it is used."),
    F_STR(S, precision, .max = 64, .help = "Number format: float32, bfloat16."),
    FIELD_END};
#undef S

#define S struct artifact
const struct field artifact_fields[] = {
    F_STR(S, key, KEY, .help = "Object key."),
    F_STR(S, path, PATH, .help = "Local file."),
    F_STR(S, sha256, .max = 64, .help = "SHA-256 of the content."),
    F_STR(S, type, .max = 64, .help = "Media type."),
    F_INT(S, bytes, .help = "Size in bytes."),
    F_JSON(S, info, .help = "What else is to be known of it."),
    FIELD_END};
#undef S

#define S struct report
const struct field report_fields[] = {
    F_INT(S, attempt, .help = "Attempt of the job: the fencing token."),
    F_INT(S, seq, .help = "Number of the report within the attempt, from 1."),
    F_ENUM(S, kind, report_kind_names, REQ, .help = "What is reported."),
    F_INT(S, time, .help = "Unix time in milliseconds at the worker."),
    F_NUM(S, progress, .min = 0, .max = 1, .help = "Part of the whole job that is done."),
    F_INT(S, epoch, .help = "Epochs completed, or under way for progress."),
    F_INT(S, epochs, .help = "Epochs in all."),
    F_INT(S, step, .help = "Steps done in the epoch."),
    F_INT(S, steps, .help = "Steps of an epoch."),
    F_JSON(S, metrics, .help = "Object of numbers by name, e.g. {\"train/loss\": 0.4}."),
    F_OBJS(S, logs, log_line_fields, sizeof(struct log_line), .max = 1000, .help = "Log lines."),
    F_OBJ(S, checkpoint, checkpoint_fields, .help = "A checkpoint that is durable."),
    F_OBJ(S, validation, validation_fields, .help = "Where the results of each picture lie."),
    F_OBJ(S, best, best_fields, .help = "The best epoch so far."),
    F_STR(S, weights_sha256, .max = 64, .help = "SHA-256 of the best checkpoint's weights."),
    F_STR(S, message, .max = 1024, .help = "What is going on, in a sentence."),
    F_OBJ(S, engine, engine_fields, .help = "What computes, said at the start."),
    F_OBJ(S, samples, artifact_fields,
          .help = "Started: training pictures as they enter the network, on a sheet."),
    F_STR(S, error_code, .max = 64, .help = "Stable code of a failure."),
    F_STR(S, error, .max = 2048, .help = "What failed and what to do."),
    F_BOOL(S, retryable, .help = "Another attempt may help."),
    FIELD_END};
#undef S

#define S struct report_reply
const struct field report_reply_fields[] = {
    F_BOOL(S, applied, .help = "The report changed the job."),
    F_STR(S, reason, .max = 64, .help = "Why not: duplicate, stale_attempt, terminal."),
    F_ENUM(S, job_status, job_status_names, .dflt = "\"pending\"", .help = "State of the job."),
    F_BOOL(S, cancel, .help = "The worker must stop now."),
    F_INT(S, expected_seq, .help = "The next report that will be applied."),
    FIELD_END};
#undef S

#define S struct start_order
const struct field start_order_fields[] = {
    F_STR(S, job_id, REQ, .min = 1, .max = 64, .help = "Id of the job."),
    F_INT(S, attempt, .dflt = "1", .min = 1, .max = 1e9, .help = "Number of the attempt."),
    F_ENUM(S, kind, work_kind_names, .dflt = "\"train\"", .help = "Train, or score a split."),
    F_STR(S, token, .max = 256, .help = "Bearer token for this job's callbacks."),
    F_JSON(S, config, REQ, .help = "Train settings; see GET /models for the schema."),
    F_STR(S, framework, .dflt = "\"anneal\"", .max = 64, .help = "Who is to run it."),
    F_STR(S, dataset_s3_uri, REQ, .min = 1, .max = 512, .help = "s3://BUCKET/KEY of the manifest."),
    F_STR(S, dataset_version, .max = 64, .help = "SHA-256 of the manifest."),
    F_STR(S, split, .max = 16, .help = "Split to score (kind test)."),
    F_STR(S, callback_url, REQ, .min = 1, .max = 1024, .help = "Where reports are posted."),
    F_STR(S, uploads_url, .max = 1024, .help = "Where upload grants are asked for."),
    F_STR(S, downloads_url, .max = 1024, .help = "Where download grants are asked for."),
    F_OBJ(S, resume, checkpoint_fields, .help = "Checkpoint to start from; epoch 0: none."),
    FIELD_END};
#undef S

#define S struct start_reply
const struct field start_reply_fields[] = {
    F_STR(S, job_id, .max = 64, .help = "Id of the job."),
    F_INT(S, attempt, .help = "Number of the attempt."),
    F_STR(S, status, .max = 32, .help = "accepted or already_running."), FIELD_END};
#undef S

#define S struct trainer_job
const struct field trainer_job_fields[] = {
    F_STR(S, job_id, .max = 64, .help = "Id of the job."),
    F_INT(S, attempt, .help = "Number of the attempt."),
    F_STR(S, status, .max = 32, .help = "preparing, running, delivering or ended."),
    F_NUM(S, progress, .help = "Part that is done, 0 to 1."),
    F_INT(S, undelivered, .help = "Reports that wait in the outbox."),
    F_INT(S, letters, .help = "Requests that wait for the backend to fetch them."),
    FIELD_END};
#undef S

#define S struct letter
const struct field letter_fields[] = {
    F_INT(S, id, REQ, .help = "Number of the letter."),
    F_STR(S, route, REQ, .min = 1, .max = 32, .help = "callback, uploads or downloads."),
    F_STR(S, token, .max = 256, .help = "Bearer token of the attempt."),
    F_STR(S, body, .max = LETTER_BYTES_MAX, .help = "What is to be posted, JSON."), FIELD_END};
#undef S

#define S struct letters_reply
const struct field letters_reply_fields[] = {F_OBJS(S, letters, letter_fields,
                                                    sizeof(struct letter), .max = 64,
                                                    .help = "The letters that wait, oldest first."),
                                             FIELD_END};
#undef S

#define S struct letter_answer
const struct field letter_answer_fields[] = {
    F_INT(S, id, REQ, .help = "Number of the letter."),
    F_INT(S, status, REQ, .min = 100, .max = 599, .help = "Status of the backend's answer."),
    F_STR(S, body, .max = LETTER_BYTES_MAX, .help = "The answer, JSON."), FIELD_END};
#undef S

#define S struct grant_object
const struct field grant_object_fields[] = {
    F_STR(S, name, .max = 64, .help = "What it is, for the log."),
    F_STR(S, sha256, REQ, .min = 64, .max = 64, .help = "SHA-256 of the content."),
    F_INT(S, bytes, .min = 0, .max = 1e15, .help = "Size in bytes."), FIELD_END};
#undef S
#define S struct grant_request
const struct field grant_request_fields[] = {
    F_OBJS(S, objects, grant_object_fields, sizeof(struct grant_object), .max = GRANT_KEYS_MAX,
           .help = "Objects to upload."),
    F_STRS(S, keys, .max = GRANT_KEYS_MAX, .help = "Keys to download."), FIELD_END};
#undef S
#define S struct grant_url
const struct field grant_url_fields[] = {
    F_STR(S, key, KEY, .help = "Object key."),
    F_STR(S, url, .max = 4096, .help = "Presigned URL: one method, one key, a limited time."),
    FIELD_END};
#undef S
#define S struct grant_reply
const struct field grant_reply_fields[] = {
    F_OBJS(S, urls, grant_url_fields, sizeof(struct grant_url), .max = GRANT_KEYS_MAX,
           .help = "In the order asked for."),
    F_TIME(S, expires_at, .help = "When the URLs end."), FIELD_END};
#undef S

/* As in the table of train settings (train.c), which stands above this file. */
static const char *const measure_precisions[] = {"float32", "bfloat16", NULL};
static const char *const measure_backends[] = {"auto", "onednn", "portable", NULL};
static const char *const measure_optimizers[] = {"sgd", "adamw", NULL};
#define S struct measure_order
const struct field measure_order_fields[] = {
    F_STR(S, model, REQ, .min = 1, .max = 64, .help = "Name of the network."),
    F_INT(S, classes, .dflt = "10", .min = 1, .max = 65536, .help = "Classes to tell apart."),
    F_INT(S, image_size, .min = 0, .max = 1024, .help = "Pixels a side; 0: the model's own."),
    F_INT(S, batch_size, .dflt = "8", .min = 1, .max = 1024, .help = "Images in a step."),
    F_INT(S, threads, .min = 0, .max = 256, .help = "Threads; 0 is one for each core."),
    F_ENUM(S, precision, measure_precisions, .dflt = "\"float32\"", .help = "Number format."),
    F_ENUM(S, backend, measure_backends, .dflt = "\"auto\"", .help = "Kernels."),
    F_ENUM(S, optimizer, measure_optimizers, .dflt = "\"sgd\"", .help = "Optimiser."),
    F_BOOL(S, average, .help = "Keep a moving average of the weights."),
    F_BOOL(S, accumulate, .help = "Keep a sum of gradients."),
    FIELD_END};
#undef S
#define S struct measure
const struct field measure_fields[] = {
    F_STR(S, model, .max = 64, .help = "Name of the network."),
    F_INT(S, image_size, .help = "Pixels a side."),
    F_INT(S, batch_size, .help = "Images in a step."),
    F_INT(S, classes, .help = "Classes to tell apart."),
    F_INT(S, threads, .help = "Threads that it used."),
    F_INT(S, params, .help = "Trained parameters."),
    F_INT(S, weights_bytes, .help = "Size of its weights in bytes."),
    F_INT(S, memory_bytes, .help = "Memory that training takes, in bytes."),
    F_NUM(S, train_images_per_second, .help = "Images a second in training steps."),
    F_NUM(S, images_per_second, .help = "Images a second of inference."),
    F_NUM(S, gflop, .help = "1e9 operations of one image, forward."),
    F_STR(S, backend, .max = 64, .help = "Kernels: onednn, portable."),
    F_STR(S, isa, .max = 64, .help = "Instruction set."),
    F_TIME(S, at, .help = "When it was measured."),
    FIELD_END};
#undef S

#define S struct work
const struct field work_fields[] = {
    F_ENUM(S, kind, work_kind_names, .dflt = "\"train\"", .help = "Train, or score a split."),
    F_STR(S, job_id, .max = 64, .help = "Id of the job."),
    F_JSON(S, config, REQ, .help = "Train settings."),
    F_STR(S, manifest_path, REQ, PATH, .help = "The dataset version's manifest.jsonl."),
    F_STR(S, blobs_dir, REQ, PATH, .help = "Folder of images: <2 hex>/<sha256>."),
    F_STR(S, work_dir, REQ, PATH, .help = "Empty folder for checkpoints and results."),
    F_STR(S, split, .max = 16, .help = "Split to score (kind test)."),
    F_OBJ(S, resume, checkpoint_fields, .help = "Checkpoint to start from; epoch 0: none."),
    FIELD_END};
#undef S

const struct field predict_options_fields[] = {PREDICT_OPTIONS(struct predict_options, ),
                                               FIELD_END};
#define S struct predict_request
const struct field predict_request_fields[] = {
    F_STR(S, weights_sha256, REQ, .min = 64, .max = 64, .help = "SHA-256 of the weights."),
    F_STR(S, weights_url, REQ, .max = 4096, .help = "Presigned URL of the weights."),
    PREDICT_OPTIONS(S, options.), FIELD_END};
#undef S
const struct field prediction_fields[] = {
    {.name = "class",
     .type = FIELD_STR,
     .offset = offsetof(struct prediction, cls),
     .help = "Name of the class."},
    F_INT(struct prediction, class_id, .help = "Index of the class."),
    F_NUM(struct prediction, confidence, .dflt = "null", .flags = FIELD_OMIT,
          .help = "Probability, 0 to 1."),
    F_NUM(struct prediction, share, .dflt = "null", .flags = FIELD_OMIT,
          .help = "Semantic segmentation: part of the picture's pixels."),
    F_JSON(struct prediction, box, .flags = FIELD_OMIT,
           .help = "[x, y, width, height] in pixels of the picture."),
    F_JSON(struct prediction, mask, .flags = FIELD_OMIT,
           .help = "{size: [height, width], counts}: COCO's compressed run lengths."),
    FIELD_END};
#define S struct predict_result
const struct field predict_result_fields[] = {
    F_STR(S, file, .help = "Name of the picture as sent."),
    F_INT(S, width, .help = "Pixels of the picture, upright; 0: it could not be read."),
    F_INT(S, height, .help = "Pixels."),
    F_OBJS(S, predictions, prediction_fields, sizeof(struct prediction), .help = "Best first."),
    F_STR(S, error, .flags = FIELD_NULLABLE, .help = "Why there is no prediction."),
    F_NUM(S, ms, .help = "Time for this picture in milliseconds."),
    F_STR(S, drawn, .max = 32 << 20, .flags = FIELD_OMIT,
          .help = "The picture with its answer drawn on it: PNG in base64."),
    FIELD_END};
#undef S
#define S struct predict_reply
const struct field predict_reply_fields[] = {
    F_STR(S, model, .help = "Name of the network."), F_STR(S, task, .help = "What it answers."),
    F_OBJS(S, results, predict_result_fields, sizeof(struct predict_result),
           .help = "One a picture."),
    FIELD_END};
#undef S
