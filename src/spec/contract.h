/* contract.h - what backend, trainer and worker say to each other.
 *
 *   backend -> trainer   POST /training/start (= POST /train)   struct start_order
 *                        GET, DELETE /jobs/{id}; GET /models (= /models/list); GET /health; POST
 * /predict, /measure Authorization: Bearer <service token> trainer -> backend   POST callback_url
 * struct report   -> struct report_reply POST uploads_url, downloads_url        struct
 * grant_request -> presigned URLs Authorization: Bearer <token of this job and attempt> trainer ->
 * worker    one line on standard input             struct work worker  -> trainer   lines on
 * standard output struct report, with paths for keys
 *
 * A program in any language that reads one `work` line and writes `report` lines is a worker: the
 * native engine (`anneal worker`) and the adapters in trainers/ are alike.
 *
 * Exactly once.  (job, attempt) is the fencing token, seq counts an attempt's reports from 1.  The
 * backend applies seq = last + 1; a smaller one is answered {applied:false, reason:"duplicate"}, a
 * larger one 409 with expected_seq; another attempt than the current one "stale_attempt"; after the
 * end "terminal".  The trainer drops from its outbox whatever got any 2xx, resends from
 * expected_seq on 409, and stops the worker when `cancel` is true.
 */
#ifndef ANNEAL_SPEC_CONTRACT_H
#define ANNEAL_SPEC_CONTRACT_H

#include "spec/field.h"

enum job_status { JOB_PENDING, JOB_QUEUED, JOB_RUNNING, JOB_COMPLETED, JOB_FAILED, JOB_CANCELLED };
extern const char *const job_status_names[];
/* What its people ask of a job that has not ended (flow/job/job.h 8). */
enum job_wish { WISH_NONE, WISH_PAUSE, WISH_FINISH };
extern const char *const job_wish_names[]; /* "none", "pause", "finish" */
static inline bool job_status_ended(int s)
{
    return s >= JOB_COMPLETED;
}

enum work_kind { WORK_TRAIN, WORK_TEST };
extern const char *const work_kind_names[]; /* "train", "test" */

enum report_kind {
    REPORT_STARTED,    /* epoch 0; message says on what: backend, threads, instruction set */
    REPORT_PROGRESS,   /* inside an epoch, at most one a second: step, steps, metrics */
    REPORT_EPOCH,      /* an epoch and its validation are done: metrics, validation object */
    REPORT_CHECKPOINT, /* a manifest is durable: checkpoint */
    REPORT_LOG,        /* logs only */
    REPORT_COMPLETED,  /* best, weights_sha256 */
    REPORT_FAILED,     /* error */
    REPORT_CANCELLED,
};
extern const char *const report_kind_names[];

struct log_line {
    int64_t time;
    int level;
    str message;
    int64_t epoch;
}; /* time: Unix ms */
extern const struct field log_line_fields[];
extern const char *const log_level_names[]; /* "debug", "info", "warning", "error" */

/* One checkpoint: weights (safetensors) and the state that makes resuming exact (optimiser tensors
 * and cursor, safetensors), each named by its SHA-256.  Between worker and trainer *_path are local
 * files and the keys are empty; between trainer and backend the keys are set and the paths empty.
 */
struct checkpoint {
    int64_t epoch; /* epochs completed */
    bool is_best, is_last, is_periodic;
    str metric;
    double value; /* the goal's score at this epoch */
    str weights_key, weights_path, weights_sha256;
    int64_t weights_bytes;
    str state_key, state_path, state_sha256;
    int64_t state_bytes;
    str manifest_key; /* a JSON object of these fields, written after both */
};
extern const struct field checkpoint_fields[];

/* Results of one validation: an object of JSON lines.  The first line:
 *   {"epoch":3,"split":"val","task":"classification","classes":[..],"images":9,
 *    "per_class":[{"class","precision","recall","f1","support",..}..],"confusion":[[..]..],..}
 * then one a picture: {"name","sha256",..}.  What else stands in them, by task:
 *   classification  first: loss accuracy top5 precision recall f1; confusion[label][predicted].
 *       Picture: {"label":1,"predicted":2,"confidence":0.7,"top":[[2,0.7],..5]}
 *   detection, segmentation  first: COCO's measures of the boxes (map50 map map75 map_small ..);
 *       segmentation: mask_map50 mask_map mask_map75; precision recall f1 at the confidence
 *       best_confidence, where the mean F1 is largest, at iou 0.5; per_class: ap50 ap (mask_ap50
 *       mask_ap) best_confidence detections, with up to 32 classes precision_at_recall[101];
 *       confusion[truth][detection] of boxes at best_confidence, the last row and column being
 *       background; curves: precision, recall and f1 at confidence 0, .01 .. 1, and
 *       precision_at_recall.
 *       Picture: {"width","height","matched","missed","false" at best_confidence,
 *        "truths":[{"class_id","box":[x,y,w,h],"prediction":0|null}..],
 *        "predictions":[{"class_id","box","confidence","truth":0|null,"iou","mask"}..]}: the
 *       indices are into the other list, iou is that with the truth or the largest with one of its
 *       class, mask is COCO's {"size":[h,w],"counts"} on a grid at the scale of the input.
 *   semantic  first: miou dice accuracy mean_accuracy pixels; per_class: iou dice; confusion in
 *       pixels.  Picture: {"width","height","pixels","accuracy","miou","confused":[[truth,
 *       predicted,pixels]..], the 32 largest cells of its own matrix, "areas":[{"class_id","iou",
 *       "mask"}..]: mask of what was said, as above; none where it was not said. */
struct validation {
    int64_t epoch;
    str split;
    str key, path, sha256;
    int64_t bytes;
};
extern const struct field validation_fields[];

struct best {
    int64_t epoch;
    str metric;
    double value;
};
extern const struct field best_fields[];

/* A file that a run leaves besides checkpoints and results: `path` at the worker, `key` behind the
 * trainer. */
struct artifact {
    str key, path, sha256, type;
    int64_t bytes;
    str info; /* JSON: what else is to be known of it */
};
extern const struct field artifact_fields[];

/* What a run's exact bytes depend on beside settings, seed and data: the kernels that computed
 * them.  Two runs on equal engines give equal weights. */
struct engine {
    str version;   /* of Anneal */
    str backend;   /* "onednn", "portable" */
    str isa;       /* "avx512", "avx2", "base" */
    str onednn;    /* its version; "" with the portable backend */
    str precision; /* "float32" */
};
extern const struct field engine_fields[];

struct report {
    int64_t attempt, seq; /* the worker leaves both 0; the trainer numbers */
    int kind;
    int64_t time;    /* Unix ms at the worker */
    double progress; /* 0..1 of the whole job */
    int64_t epoch, epochs, step, steps;
    str metrics;      /* JSON object {"train/loss": 0.4, ...}; "" none.  Names: train/loss
                       * train/accuracy train/box_loss train/cls_loss train/dfl_loss train/mask_loss
                       * val/loss val/accuracy val/top5 val/precision val/recall val/f1 val/map50
                       * val/map val/mask_map50 val/mask_map val/miou val/dice learning_rate
                       * images_per_second; of the worker's process since its last report:
                       * system/cpu (processors kept busy), system/memory (resident bytes),
                       * system/read (bytes a second from disk), system/wait (part of the time that
                       * the network waited for pictures) */
    struct objs logs; /* struct log_line */
    struct checkpoint checkpoint; /* kind checkpoint */
    struct validation validation; /* kind epoch, completed (test) */
    struct best best;
    str weights_sha256;   /* completed: of the best checkpoint's weights file */
    str message;          /* what is going on, for people */
    struct engine engine; /* started; version "": not told */
    struct artifact
        samples; /* started: pictures as they enter the network, labelled (worker/sheet.h) */
    str error_code, error; /* failed */
    bool retryable;        /* failed: another attempt may help (lost worker, no memory, I/O) */
};
extern const struct field report_fields[];

struct report_reply {
    bool applied;
    str reason; /* "", "duplicate", "stale_attempt", "terminal" */
    int job_status;
    bool cancel; /* stop the worker now */
    int64_t expected_seq;
};
extern const struct field report_reply_fields[];

struct start_order {
    str job_id;
    int64_t attempt;
    int kind;   /* enum work_kind */
    str token;  /* of this job and attempt */
    str config; /* JSON: struct train_spec */
    str framework;
    str dataset_s3_uri; /* s3://BUCKET/datasets/VERSION/manifest.jsonl */
    str dataset_version;
    str split; /* test: which split */
    str callback_url, uploads_url, downloads_url;
    struct checkpoint resume; /* epoch > 0: continue from it.  test: the weights to score */
};
extern const struct field start_order_fields[];
struct start_reply {
    str job_id;
    int64_t attempt;
    str status;
}; /* "accepted", "already_running" */
extern const struct field start_reply_fields[];

/* GET /jobs/{id} of a trainer */
struct trainer_job {
    str job_id;
    int64_t attempt;
    str status; /* preparing running delivering ended */
    double progress;
    int64_t undelivered;
    int64_t letters; /* requests that wait for the backend to fetch them */
};
extern const struct field trainer_job_fields[];

/* A trainer that cannot reach the backend lets its requests be fetched (flow/trainer/letters.h):
 *   GET /letters/{job}   -> {letters:[struct letter]}
 *   POST /letters/{job}  <- struct letter_answer, for each
 * The backend posts `body` to its own /training/jobs/{job}/{route} with `token` and answers with
 * what came of it, so that a letter can do exactly what its sender could. */
enum { LETTER_BYTES_MAX = 4 << 20, LETTERS_BYTES_MAX = 1 << 20 };
struct letter {
    int64_t id;
    str route; /* "callback", "uploads", "downloads" */
    str token, body;
};
struct letters_reply {
    struct objs letters;
};
struct letter_answer {
    int64_t id, status;
    str body;
};
extern const struct field letter_fields[], letters_reply_fields[], letter_answer_fields[];

/* Presigned URLs: uploads {objects:[{name,sha256,bytes}]}, downloads {keys:[..]} (at most
 * GRANT_KEYS_MAX) -> {urls:[{key,url}], expires_at}.  Uploads go to jobs/<job>/<sha256>; downloads
 * are allowed for the job's manifest, its images, its own checkpoints and the one it starts from.
 */
enum { GRANT_KEYS_MAX = 512, GRANT_SECONDS = 3600 };
struct grant_object {
    str name, sha256;
    int64_t bytes;
};
struct grant_request {
    struct objs objects;
    struct strs keys;
};
struct grant_url {
    str key, url;
};
struct grant_reply {
    struct objs urls;
    int64_t expires_at;
};
extern const struct field grant_object_fields[], grant_request_fields[], grant_url_fields[],
    grant_reply_fields[];

/* POST /measure of a trainer, and one line to a worker started with --measure: how fast a model
 * trains on that machine, and what memory it takes.  The reply is kept: asking again is free. */
struct measure_order {
    str model;
    int64_t classes, image_size, batch_size, threads; /* image_size 0: the model's own */
    int precision, backend, optimizer;                /* as in struct train_spec */
    bool average, accumulate;
};
struct measure {
    str model;
    int64_t image_size, batch_size, classes, threads;
    int64_t params, weights_bytes, memory_bytes;       /* memory: the plan's, for training */
    double train_images_per_second, images_per_second; /* of a step; of inference */
    double gflop;                                      /* of one picture, forward */
    str backend, isa;
    int64_t at; /* Unix ms */
};
extern const struct field measure_order_fields[], measure_fields[];

/* trainer -> worker, one line */
struct work {
    int kind;
    str job_id;
    str config;               /* struct train_spec */
    str manifest_path;        /* manifest.jsonl */
    str blobs_dir;            /* blobs_dir/<2 hex>/<sha256> */
    str work_dir;             /* empty folder for checkpoints and results */
    str split;                /* test */
    struct checkpoint resume; /* *_path set */
};
extern const struct field work_fields[];

enum {
    PREDICT_IMAGES_MAX = 256,
    PREDICT_IMAGE_BYTES_MAX = 32 << 20,
    PREDICT_BOXES_MAX = 300,
    PREDICT_DRAW_IMAGES_MAX = 4,
    PREDICT_DRAW_SIDE_MAX = 1600,
};

/* POST /predict of a trainer: multipart/form-data with a part "request" (this, JSON) and one part
 * "image" a picture, in order.  Reply struct predict_reply. */
struct predict_options {
    int64_t top_k;     /* classes of a classifier */
    double confidence; /* least, of a box */
    double iou;        /* boxes of a class that overlap more than this are one */
    int64_t max;       /* boxes of a picture */
    bool masks;        /* send masks */
    bool draw;         /* send each picture with its answer drawn on it */
};
struct predict_request {
    str weights_sha256, weights_url;
    struct predict_options options; /* its members stand beside the others */
};
/* One answer.  Classification: class, class_id, confidence.  Detection and segmentation add box
 * [x, y, width, height] in pixels of the picture, segmentation mask: COCO's run lengths {"size":
 * [height, width], "counts": ".."} over the whole picture.  Semantic: one a class that is there,
 * with the share of the picture's pixels instead of a confidence, and a mask at the scale of the
 * network's input. */
struct prediction {
    str cls; /* "class" in JSON */
    int64_t class_id;
    double confidence, share; /* NaN: not of this task */
    str box, mask;            /* JSON; "": not of this task */
};
struct predict_result {
    str file;
    int64_t width, height; /* pixels of the picture, upright */
    struct objs predictions;
    str error; /* "": fine */
    double ms;
    str drawn; /* PNG in base64, at most PREDICT_DRAW_SIDE_MAX pixels a side; "" not asked for */
};
struct predict_reply {
    str model, task;
    struct objs results;
};
extern const struct field predict_options_fields[]; /* options alone */
/* Their rows, in a table of a struct S in which `at` leads to them. */
#define PREDICT_OPTIONS(S, at)                                                                     \
    {.name = "top_k",                                                                              \
     .type = FIELD_INT,                                                                            \
     .offset = offsetof(S, at top_k),                                                              \
     .dflt = "5",                                                                                  \
     .min = 1,                                                                                     \
     .max = 1000,                                                                                  \
     .help = "Classes to return of a classifier."},                                                \
        {.name = "confidence",                                                                     \
         .type = FIELD_NUM,                                                                        \
         .offset = offsetof(S, at confidence),                                                     \
         .dflt = "0.25",                                                                           \
         .min = 0.001,                                                                             \
         .max = 1,                                                                                 \
         .help = "Least confidence of a box."},                                                    \
        {.name = "iou",                                                                            \
         .type = FIELD_NUM,                                                                        \
         .offset = offsetof(S, at iou),                                                            \
         .dflt = "0.7",                                                                            \
         .min = 0.01,                                                                              \
         .max = 1,                                                                                 \
         .help = "Boxes of a class that overlap by more than this are one."},                      \
        {.name = "max",                                                                            \
         .type = FIELD_INT,                                                                        \
         .offset = offsetof(S, at max),                                                            \
         .dflt = "100",                                                                            \
         .min = 1,                                                                                 \
         .max = PREDICT_BOXES_MAX,                                                                 \
         .help = "Boxes to return of a picture."},                                                 \
        {.name = "masks",                                                                          \
         .type = FIELD_BOOL,                                                                       \
         .offset = offsetof(S, at masks),                                                          \
         .dflt = "true",                                                                           \
         .help = "Send masks, as run lengths."},                                                   \
    {                                                                                              \
        .name = "draw", .type = FIELD_BOOL, .offset = offsetof(S, at draw), .dflt = "false",       \
        .help = "Send each picture with its answer drawn on it, as PNG in base64 (`drawn`); at "   \
                "most 4 pictures."                                                                 \
    }
extern const struct field predict_request_fields[], prediction_fields[], predict_result_fields[],
    predict_reply_fields[];

#endif
