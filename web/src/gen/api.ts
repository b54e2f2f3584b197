// Made by tools/gen-api-types from the server's tables of routes and fields; do not edit.
//
// A reply that is `unknown` or missing has no table in the server: its type stands by hand in src/types.ts.

export interface Routes {
  /** Make an account (off unless registration = true). */
  "POST /auth/register": {
    body: {
      /** E-mail address. */
      email: string;
      /** Name to show. */
      name?: string;
      /** At least 10 bytes. */
      password: string;
    };
    reply: {
      /** Id of the account. */
      id: string;
      /** E-mail address, lower case. */
      email: string;
      /** Name to show. */
      name: string;
      /** admin, manager, engineer or viewer. */
      role: "none" | "viewer" | "engineer" | "manager" | "admin";
      /** May log in. */
      active: boolean;
      /** When it was made. */
      created_at: string | null;
      /** Last log-in. */
      last_login_at: string | null;
    };
  };
  /** Log in; replies with access and refresh token and sets cookies. */
  "POST /auth/login": {
    body: {
      /** E-mail address. */
      email: string;
      /** Password. */
      password: string;
    };
  };
  /** Log in by a one-time link. */
  "POST /auth/link": {
    body: {
      /** What stood behind #login= in the link. */
      token: string;
    };
  };
  /** New tokens for a refresh token, which is then spent. */
  "POST /auth/refresh": {
    body: {
      /** From the last log-in or refresh; browsers send it as a cookie. */
      refresh_token?: string;
    };
  };
  /** End this session. */
  "POST /auth/logout": Record<string, never>;
  /** The caller's account. */
  "GET /auth/me": {
    reply: Routes["POST /auth/register"]["reply"];
  };
  /** Change one's name or password. */
  "PATCH /auth/me": {
    body: {
      /** New name to show. */
      name?: string;
      /** Needed if one is set. */
      old_password?: string;
      /** At least 10 bytes. */
      new_password?: string;
    };
    reply: Routes["POST /auth/register"]["reply"];
  };
  /** The caller's API tokens. */
  "GET /auth/tokens": Record<string, never>;
  /** Make an API token; its text is shown this once, as `token`. */
  "POST /auth/tokens": {
    body: {
      /** What it is for. */
      name: string;
      /** Scopes, separated by spaces. */
      scopes?: string;
      /** When it ends; absent: does not. */
      expires_at?: string | null;
    };
    reply: {
      /** Id of the token. */
      id: string;
      /** What it is for. */
      name: string;
      /** What it may do, separated by spaces; * is all that its owner may. */
      scopes: string;
      /** When it was made. */
      created_at: string | null;
      /** When it ends; null: does not. */
      expires_at: string | null;
      /** Last use, to the minute. */
      last_used_at: string | null;
    };
  };
  /** Revoke an API token. */
  "DELETE /auth/tokens/{id}": Record<string, never>;
  /** Accounts, by e-mail. */
  "GET /users": {
    query: {
      /** E-mail of the last account shown. */
      after?: string;
      /** Accounts to return. */
      limit?: number;
    };
  };
  /** Make an account. */
  "POST /users": {
    body: {
      /** E-mail address. */
      email: string;
      /** Name to show. */
      name?: string;
      /** At least 10 bytes; absent: the account logs in by link. */
      password?: string;
      /** Role. */
      role?: "viewer" | "engineer" | "manager" | "admin";
    };
    reply: Routes["POST /auth/register"]["reply"];
  };
  /** Change role, name or whether it may log in. */
  "PATCH /users/{id}": {
    body: {
      /** viewer, engineer, manager or admin. */
      role?: string;
      /** Name to show. */
      name?: string;
      /** true or false; false ends sessions and tokens. */
      active?: unknown;
    };
    reply: Routes["POST /auth/register"]["reply"];
  };
  /** A link that logs this account in, once. */
  "POST /users/{id}/login-link": Record<string, never>;
  /** What every account uses and may use. */
  "GET /quotas": Record<string, never>;
  /** What the caller uses and may use. */
  "GET /auth/me/quota": {
    reply: {
      /** Id of the account. */
      user_id: string;
      /** Its e-mail address. */
      email: string;
      /** Its name. */
      name: string;
      /** Jobs that may run at once; -1: as the setting jobs_per_user says. */
      jobs_max: number;
      /** Bytes it may store, 0 no limit; -1: as the setting storage_per_user says. */
      bytes_max: number;
      /** Jobs that run. */
      running: number;
      /** Jobs that wait. */
      waiting: number;
      /** Jobs in all. */
      jobs: number;
      /** Dataset versions that it made. */
      datasets: number;
      /** Bytes of their pictures, each content once. */
      picture_bytes: number;
      /** Bytes of its jobs' checkpoints. */
      checkpoint_bytes: number;
    };
  };
  /** Change what an account may use. */
  "PUT /users/{id}/quota": {
    body: {
      /** Jobs that may run at once, 0 none; -1: as the setting jobs_per_user says. */
      jobs_max?: number;
      /** Bytes it may store, 0 no limit; -1: as the setting storage_per_user says. */
      bytes_max?: number;
    };
    reply: Routes["GET /auth/me/quota"]["reply"];
  };
  /** The caller's projects; all of them for managers. */
  "GET /projects": Record<string, never>;
  /** Make a project; the caller is its owner. */
  "POST /projects": {
    body: {
      /** Name. */
      name: string;
      /** What it is about. */
      description?: string;
    };
    reply: {
      /** Id of the project. */
      id: string;
      /** Name, unique for its maker. */
      name: string;
      /** What it is about. */
      description: string;
      /** Id of the account that made it. */
      created_by: string | null;
      /** The caller's role in it; null: not a member. */
      my_role: string | null;
      /** When it was made. */
      created_at: string | null;
    };
  };
  /** A project by id or name. */
  "GET /projects/{id}": {
    reply: Routes["POST /projects"]["reply"];
  };
  /** Change name and description. */
  "PUT /projects/{id}": {
    body: {
      /** Name. */
      name: string;
      /** What it is about. */
      description?: string;
    };
    reply: Routes["POST /projects"]["reply"];
  };
  /** Delete an empty project. */
  "DELETE /projects/{id}": Record<string, never>;
  /** Who belongs to it. */
  "GET /projects/{id}/members": Record<string, never>;
  /** Add a member, or change a member's role. */
  "POST /projects/{id}/members": {
    body: {
      /** E-mail or id of an account. */
      email: string;
      /** viewer sees, engineer trains, manager edits, owner decides. */
      role?: "viewer" | "engineer" | "manager" | "owner";
    };
  };
  /** Remove a member. */
  "DELETE /projects/{id}/members/{user}": Record<string, never>;
  /** Datasets that the caller may see, by name: {datasets, next}. */
  "GET /datasets": {
    query: {
      /** Part of the name. */
      q?: string;
      /** Only of this project, by id; default for the default one. */
      project?: string;
      /** `next` of the page before. */
      cursor?: string;
      /** Rows a page. */
      limit?: number;
    };
  };
  /** State, progress and result of an import. */
  "GET /datasets/imports/{id}": {
    reply: {
      /** Id of the import. */
      import: string;
      /** Id of the dataset. */
      dataset: string;
      /** Its name. */
      dataset_name: string;
      /** archive: an upload; split: another split of a version; draft: edited labels; classes: other classes. */
      kind: string;
      /** queued, running, done or failed. */
      state: string;
      /** scan, images, rows; "" before. */
      phase: string;
      /** 0 to 1. */
      progress: number;
      /** done: the version. */
      version: string | null;
      /** Pictures checked so far; done: of the version. */
      images: number;
      /** done: faults reported. */
      faults: number;
      /** failed: stable code. */
      error_code: string | null;
      /** failed: what it was about, e.g. unsafe_path, encrypted, bomb, truncated. */
      error_fault: string | null;
      /** failed: what happened and what to do. */
      error: string | null;
      /** split, draft, classes: of which version. */
      base_version: string | null;
      /** What it brings, in words. */
      message: string;
      /** How often it was begun. */
      attempt: number;
      /** Id of the account that asked for it. */
      created_by: string | null;
      /** When it was queued. */
      created_at: string | null;
      /** When it last began. */
      started_at: string | null;
      /** When it ended. */
      ended_at: string | null;
    };
  };
  /** A dataset by id or exact name. */
  "GET /datasets/{id}": {
    reply: {
      /** Id of the dataset. */
      id: string;
      /** Its project; null: the default one. */
      project_id: string | null;
      /** Name, unique within the project without regard to case. */
      name: string;
      /** What it is about. */
      description: string;
      /** Id of the account that made it. */
      created_by: string | null;
      /** That account's name. */
      created_by_name: string;
      /** How many versions it has. */
      versions: number;
      /** SHA-256 of the newest version's manifest. */
      version: string | null;
      /** classification, detection, segmentation or text. */
      task: string | null;
      /** Pictures of the newest version. */
      images: number;
      /** Classes of the newest version. */
      classes: number;
      /** Size of the newest version's pictures in bytes. */
      bytes: number;
      /** Faults that the newest version's import reported. */
      faults: number;
      /** Colours of classes, by name; null in lists. */
      colours: unknown;
      /** When it was made. */
      created_at: string | null;
      /** When it last got a version or was described. */
      updated_at: string | null;
    };
  };
  /** Rename or describe a dataset. */
  "PUT /datasets/{id}": {
    body: {
      /** New name. */
      name: string;
      /** What it is about. */
      description?: string;
    };
    reply: Routes["GET /datasets/{id}"]["reply"];
  };
  /** Delete a dataset and the pictures that no other has; 409 while a job or an import uses it. */
  "DELETE /datasets/{id}": Record<string, never>;
  /** Its imports, newest first: {imports}. */
  "GET /datasets/{id}/imports": Record<string, never>;
  /** Its versions, newest first: {versions}. */
  "GET /datasets/{id}/versions": Record<string, never>;
  /** A version with its statistics. */
  "GET /datasets/{id}/versions/{v}": {
    reply: {
      /** Id of the dataset. */
      dataset: string;
      /** SHA-256 of the manifest: names the content. */
      version: string;
      /** 1, 2, .. within the dataset. */
      number: number;
      /** Where the manifest lies. */
      s3_uri: string;
      /** classification, detection, segmentation or text. */
      task: string;
      /** As recognised: folder, yolo, coco, voc, icdar; pictures: no labels. */
      format: string;
      /** Pictures. */
      images: number;
      /** Training pictures. */
      train: number;
      /** Validation pictures. */
      val: number;
      /** Test pictures. */
      test: number;
      /** Pictures in no split. */
      none: number;
      /** Size of all pictures in bytes. */
      bytes: number;
      /** Size of the manifest in bytes. */
      manifest_bytes: number;
      /** Faults that the import reported. */
      faults: number;
      /** Names of the classes, in the order of their numbers. */
      classes: unknown;
      /** How it was split: method, shares, seed. */
      split: unknown;
      /** Class balance for each split, sizes, types, duplicates, counts of faults. */
      stats: unknown;
      /** What made it: archive, split or draft. */
      kind: string;
      /** split, draft: the version it changed. */
      base_version: string | null;
      /** What it brings, in words. */
      message: string;
      /** Id of the account that made it. */
      created_by: string | null;
      /** When it was made. */
      created_at: string | null;
    };
  };
  /** The manifest: JSON lines, one a picture. */
  "GET /datasets/{id}/versions/{v}/manifest": Record<string, never>;
  /** Faults of the import by file and line: {total, faults, next}. */
  "GET /datasets/{id}/versions/{v}/faults": {
    query: {
      /** Only of this code, e.g. corrupt_image. */
      code?: string;
      /** Only in this file of the archive. */
      file?: string;
      /** Only of this picture. */
      image?: string;
      /** `next` of the page before. */
      cursor?: string;
      /** Rows a page. */
      limit?: number;
    };
  };
  /** Make a version with another split; no picture is copied. */
  "POST /datasets/{id}/versions/{v}/split": {
    body: {
      /** given: as the data say; ratio: at random by class; lists: by name; moves: as given, but the named ones move; fill: as given, and labelled pictures in no split by ratio; auto: given, else ratio. */
      method?: "auto" | "given" | "ratio" | "lists" | "moves" | "fill";
      /** Share of training pictures. */
      train?: number;
      /** Share of validation pictures. */
      val?: number;
      /** Share of test pictures. */
      test?: number;
      /** The same seed and content give the same split. */
      seed?: number;
      /** lists, moves: names of training pictures. */
      train_files?: string[];
      /** lists, moves: names of validation pictures. */
      val_files?: string[];
      /** lists, moves: names of test pictures. */
      test_files?: string[];
      /** moves: names of pictures that go into no split. */
      none_files?: string[];
      /** Names of pictures to leave out of the version. */
      exclude?: string[];
    };
    reply: Routes["GET /datasets/imports/{id}"]["reply"];
  };
  /** Upload a zip or tar: as the body, or as a form with file and dataset_name. */
  "POST /datasets/upload": {
    query: {
      /** Name of the dataset; a new one, or one that gets a further version.  In a form: dataset_name; without either the file's name. */
      name?: string;
      /** auto, given, or shares of train, val and test: 0.8/0.2, 0.7/0.2/0.1. */
      split?: string;
      /** Project by id or name; default for the default one. */
      project?: string;
      /** Of a split by shares. */
      seed?: number;
    };
  };
  /** Begin an upload in parts that can be resumed: {upload, part_bytes, parts}. */
  "POST /datasets/uploads": {
    body: {
      /** Name of the dataset. */
      name: string;
      /** Project by id or name. */
      project?: string;
      /** Of the archive, in bytes. */
      size: number;
      /** Size of a part; 0: 64 MiB or more. */
      part_bytes?: number;
      /** How to split; default auto. */
      split?: unknown;
    };
  };
  /** Which parts have been received. */
  "GET /datasets/uploads/{id}": Record<string, never>;
  /** Give an upload up. */
  "DELETE /datasets/uploads/{id}": Record<string, never>;
  /** Send part n (from 1); sending it again replaces it. */
  "PUT /datasets/uploads/{id}/parts/{n}": Record<string, never>;
  /** All parts are there: import. */
  "POST /datasets/uploads/{id}/complete": Record<string, never>;
  /** Draw sample data and import it: letters, shapes or receipts. */
  "POST /datasets/sample": {
    body: {
      /** Letters to classify, objects to detect, receipts to read. */
      kind: "glyphs" | "shapes" | "receipts";
      /** Name of the dataset; else the kind's. */
      name?: string;
      /** Project by id or name; default for the default one. */
      project?: string;
      /** Pictures in all; 0: 3600 glyphs, 500 shapes, 200 receipts. */
      count?: number;
      /** Pixels of a side, of a receipt the longer one; 0: 32, 320, 960. */
      size?: number;
      /** The same seed draws the same pictures. */
      seed?: number;
    };
  };
  /** Pictures with their labels, in the manifest's order: {images, next}. */
  "GET /datasets/{id}/versions/{v}/images": {
    query: {
      /** train, val, test or none. */
      split?: string;
      /** Only pictures with this class, by name. */
      class?: string;
      /** Only pictures with a fault of this code; any: with a fault. */
      fault?: string;
      /** Part of the name. */
      q?: string;
      /** yes or no: only with or without labels. */
      labelled?: string;
      /** `next` of the page before. */
      cursor?: string;
      /** Without a cursor: the first index that may come. */
      from?: number;
      /** Rows a page. */
      limit?: number;
    };
  };
  /** How many pictures a filter has, and the index of every n-th: {count, every, anchors}. */
  "GET /datasets/{id}/versions/{v}/anchors": {
    query: {
      /** train, val, test or none. */
      split?: string;
      /** Only pictures with this class, by name. */
      class?: string;
      /** Only pictures with a fault of this code; any: with a fault. */
      fault?: string;
      /** Part of the name. */
      q?: string;
      /** yes or no: only with or without labels. */
      labelled?: string;
      /** Pictures from one to the next. */
      every?: number;
    };
  };
  /** One picture with its labels. */
  "GET /datasets/{id}/versions/{v}/images/{index}": Record<string, never>;
  /** The bytes of a picture of the dataset, or its preview. */
  "GET /datasets/{id}/blobs/{sha256}": {
    query: {
      /** A preview of at most 256 pixels a side. */
      thumb?: boolean;
    };
  };
  /** What a change of classes costs: {classes, labels, pictures, emptied}. */
  "POST /datasets/{id}/versions/{v}/classes/check": {
    body: {
      /** For each class, in the order of their numbers, its name from now on; "": remove it with its labels.  Classes of one name are merged. */
      to: string[];
    };
  };
  /** Make a version with classes renamed, merged or removed; 409 while a draft is open. */
  "POST /datasets/{id}/versions/{v}/classes": {
    body: {
      /** For each class, in the order of their numbers, its name from now on; "": remove it with its labels.  Classes of one name are merged. */
      to: string[];
      /** What it brings, in words. */
      message?: string;
    };
    reply: Routes["GET /datasets/imports/{id}"]["reply"];
  };
  /** What {other} has that {v} has not: counts and the first 100 names of pictures. */
  "GET /datasets/{id}/versions/{v}/diff/{other}": Record<string, never>;
  /** The pictures of one kind of difference, as they were and are: {pictures, next}. */
  "GET /datasets/{id}/versions/{v}/diff/{other}/{kind}": {
    query: {
      /** `next` of the page before. */
      cursor?: string;
      /** Rows a page. */
      limit?: number;
    };
  };
  /** The dataset's open draft; 404 if there is none. */
  "GET /datasets/{id}/draft": {
    reply: {
      /** Id of the draft. */
      id: string;
      /** Id of the dataset. */
      dataset: string;
      /** The version that it changes. */
      base_version: string;
      /** That version's number. */
      base_number: number;
      /** open, or committing while its import runs. */
      state: string;
      /** classification, detection, segmentation or text. */
      task: string;
      /** Names of the classes, in the order of their numbers. */
      classes: unknown;
      /** Of task and classes: send it back with a change of them. */
      revision: number;
      /** Pictures whose labels were changed or confirmed. */
      edited: number;
      /** Pictures with a model's labels that nobody has confirmed. */
      suggested: number;
      /** Id of the account that opened it. */
      created_by: string | null;
      /** That account's name. */
      created_by_name: string;
      /** When it was opened. */
      created_at: string | null;
      /** When it was last changed. */
      updated_at: string | null;
    };
  };
  /** Open a draft on top of a version, or join the one that is open. */
  "POST /datasets/{id}/draft": {
    body: {
      /** The version to change; the newest unless told. */
      version?: string;
      /** What is labelled: classification or detection; as the version says unless told. */
      task?: string;
    };
    reply: Routes["GET /datasets/{id}/draft"]["reply"];
  };
  /** Change the draft's task or classes. */
  "PUT /datasets/{id}/draft": {
    body: {
      /** The draft's revision that this changes; 412 if it has another by now. */
      revision: number;
      /** classification, detection, segmentation or text. */
      task?: string;
      /** All names, in the order of their numbers: renamed in place, new ones last. */
      classes: string[];
      /** Object: name of a class to a number of the palette, 0 to 63. */
      colours?: unknown;
    };
    reply: Routes["GET /datasets/{id}/draft"]["reply"];
  };
  /** Discard the draft with all its labels. */
  "DELETE /datasets/{id}/draft": Record<string, never>;
  /** Make a version of the draft; its import says when it is there. */
  "POST /datasets/{id}/draft/commit": {
    body: {
      /** What the version brings, in words. */
      message?: string;
      /** Share of validation among the pictures that get their first labels. */
      val?: number;
      /** Share of test among them. */
      test?: number;
      /** The same seed and content give the same split. */
      seed?: number;
    };
    reply: Routes["GET /datasets/imports/{id}"]["reply"];
  };
  /** Which pictures the draft changes: {edits, next}. */
  "GET /datasets/{id}/draft/edits": {
    query: {
      /** edited or suggested; both unless told. */
      state?: string;
      /** `next` of the page before. */
      cursor?: string;
      /** Rows a page. */
      limit?: number;
    };
  };
  /** A picture with its labels as they stand in the draft. */
  "GET /datasets/{id}/draft/images/{index}": Record<string, never>;
  /** Set a picture's labels in the draft. */
  "PUT /datasets/{id}/draft/images/{index}": {
    body: {
      /** The picture's revision that this replaces, 0 for none; 412 if it has another. */
      revision: number;
      /** edited, or suggested: a model's labels that nobody has confirmed. */
      state?: "edited" | "suggested";
      /** Number of the class; -1: none. */
      label?: number;
      /** {boxes: [[class,x,y,w,h]], polygons: [[class,x1,y1,..]], quads: ..} in pixels. */
      shapes?: unknown;
      /** suggested: the model's certainty of the label, or of each box. */
      scores?: unknown;
    };
  };
  /** Take a picture's labels back to those of the base version. */
  "DELETE /datasets/{id}/draft/images/{index}": {
    query: {
      /** The picture's revision that this takes back; 412 if it has another. */
      revision?: number;
    };
  };
  /** Jobs of the caller's projects, by page. */
  "GET /training/jobs": {
    query: {
      /** One or more states, separated by commas. */
      status?: string;
      /** Id, name or version of a dataset. */
      dataset?: string;
      /** Name of a network. */
      model?: string;
      /** Name of a framework. */
      framework?: string;
      /** Only of this project, by id; default for the default one. */
      project?: string;
      /** Part of name, notes, tags, model, dataset's name or id. */
      q?: string;
      /** Only starred ones. */
      starred?: boolean;
      /** created, name, status, score, or queue (the order in which they start). */
      sort?: "created" | "name" | "status" | "score" | "queue";
      /** auto: newest and best first, names and the queue from the front. */
      order?: "auto" | "asc" | "desc";
      /** Rows of a page. */
      limit?: number;
      /** `next` of the page before. */
      cursor?: string;
    };
  };
  /** Make a training job, and queue it. */
  "POST /training/jobs": {
    body: {
      /** Name for people; empty: made of model and dataset. */
      name?: string;
      /** Id or name of the dataset's project, to be sure; `default` is one too. */
      project?: string;
      /** Id or name of the dataset. */
      dataset: string;
      /** Hash or number of its version; empty: the newest. */
      version?: string;
      /** Whose trainer runs it. */
      framework?: string;
      /** Settings to begin with: quick, standard, thorough, fine-tune; config goes over. */
      preset?: string;
      /** Train settings; GET /models lists them.  What is absent is default. */
      config?: unknown;
      /** 0 to 100, higher goes first. */
      priority?: number;
      /** Further attempts after a lost one; -1: as configured. */
      retries?: number;
      /** Queue it at once; else it stays pending. */
      start?: boolean;
      /** Go on from a checkpoint of another job. */
      from_checkpoint?: unknown;
      /** Short texts. */
      tags?: string[];
      /** Notes. */
      notes?: string;
      /** Short for config.model. */
      model_name?: string;
      /** Short for config.epochs; 0: not given. */
      epochs?: number;
      /** Short for config.batch_size. */
      batch_size?: number;
      /** Short for config.learning_rate. */
      learning_rate?: number;
    };
    reply: {
      /** Id. */
      job: string;
      /** Name for people. */
      name: string;
      /** pending, queued, running, then completed, failed or cancelled for good. */
      status: "pending" | "queued" | "running" | "completed" | "failed" | "cancelled";
      /** train, or test a split. */
      kind: "train" | "test";
      /** Whose trainer runs it. */
      framework: string;
      /** Name of the network. */
      model: string;
      /** Project; null is the default one. */
      project: string | null;
      /** Id of the dataset. */
      dataset: string;
      /** Its name when the job was made. */
      dataset_name: string;
      /** SHA-256 of the version. */
      dataset_version: string;
      /** Split that is scored (kind test). */
      split: string | null;
      /** Part that is done, 0 to 1. */
      progress: number;
      /** Epochs completed, or the one under way. */
      epoch: number;
      /** Epochs in all. */
      epochs: number;
      /** Steps done in the epoch. */
      step: number;
      /** Steps of an epoch. */
      steps: number;
      /** What is going on. */
      message: string | null;
      /** Why it waits. */
      waiting_reason: string | null;
      /** {code, text} of a failed job, else null. */
      error: unknown;
      /** Number of the current attempt; 0 before the first. */
      attempt: number;
      /** Attempts that were lost or failed retryably. */
      failures: number;
      /** So many of them end the job. */
      attempts: number;
      /** {epoch, metric, value} of the best epoch, else null. */
      best: unknown;
      /** SHA-256 of the best weights of a completed job. */
      weights_sha256: string | null;
      /** {version, backend, isa, onednn, precision}: what computes it, from its start on; else null. */
      engine: unknown;
      /** Asked of it for the end of the epoch: pause, finish (stop early and keep), or none. */
      wish: "none" | "pause" | "finish";
      /** Queued, but passed over until it is resumed. */
      paused: boolean;
      /** 0 to 100; higher goes first. */
      priority: number;
      /** Place in the queue from 1; 0 if not queued. */
      queue_place: number;
      /** The job that this one restarts, continues or tests. */
      base_job: string | null;
      /** Id of the account. */
      created_by: string | null;
      /** Its name. */
      created_by_name: string | null;
      /** When it was made. */
      created_at: string | null;
      /** When it was last queued. */
      queued_at: string | null;
      /** Start of the first attempt. */
      started_at: string | null;
      /** When it ended. */
      ended_at: string | null;
      /** List of text. */
      tags: unknown;
      /** Notes. */
      notes: string;
      /** Starred. */
      starred: boolean;
      /** Score that decides best. */
      goal: "accuracy" | "top5" | "f1" | "loss" | "map50" | "map" | "mask_map50" | "mask_map" | "miou";
      /** Every train setting. */
      config: unknown;
      /** [{field, message}] about the settings; null later. */
      warnings: unknown;
    };
  };
  /** A job. */
  "GET /training/jobs/{id}": {
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Cancel a job. */
  "DELETE /training/jobs/{id}": {
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Change name, notes, tags, star, priority or place in the queue. */
  "PATCH /training/jobs/{id}": {
    body: {
      /** New name. */
      name?: string;
      /** Text, up to 16 KiB. */
      notes?: unknown;
      /** List of at most 32 short texts; replaces the old. */
      tags?: unknown;
      /** true or false. */
      starred?: unknown;
      /** 0 to 100, higher goes first; -1 leaves it. */
      priority?: number;
      /** Id of the waiting job to stand before (its priority is taken), or `end`. */
      before?: string;
    };
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Queue a pending job. */
  "POST /training/jobs/{id}/start": {
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Many runs side by side, newest first, as rows of values. */
  "GET /training/runs": {
    query: {
      /** One or more states, separated by commas. */
      status?: string;
      /** Id, name or version of a dataset. */
      dataset?: string;
      /** Name of a network. */
      model?: string;
      /** Only of this project, by id; default: the default one. */
      project?: string;
      /** Part of name, notes, tags, model, dataset's name or id. */
      q?: string;
      /** Only starred ones. */
      starred?: boolean;
      /** Names of train settings to show, separated by commas. */
      settings?: string;
      /** Names of metrics to show, of the best epoch (else the last). */
      metrics?: string;
      /** At most so many runs. */
      limit?: number;
    };
  };
  /** The same again as a new job; the old one stays as it is. */
  "POST /training/jobs/{id}/restart": {
    body: {
      /** Name; empty: that of the old job. */
      name?: string;
      /** Begin at this checkpoint: best, last or an epoch; empty: from scratch. */
      checkpoint?: string;
      /** Queue it at once. */
      start?: boolean;
    };
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Run a completed training again, to see that it gives the same weights. */
  "POST /training/jobs/{id}/replay": {
    body: {
      /** Name; empty: that of the old job. */
      name?: string;
      /** Queue it at once. */
      start?: boolean;
    };
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Go on with a paused job, or from the last checkpoint of one that has ended. */
  "POST /training/jobs/{id}/resume": {
    body: {
      /** Name; empty: that of the old job. */
      name?: string;
      /** Epochs in all, counted from the first; 0: as before. */
      epochs?: number;
      /** Queue it at once. */
      start?: boolean;
    };
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Score a checkpoint on a split, as a job of kind test. */
  "POST /training/jobs/{id}/test": {
    body: {
      /** train, val or test. */
      split?: string;
      /** best, last or an epoch. */
      checkpoint?: string;
      /** Another dataset; empty: the one it was trained on. */
      dataset?: string;
      /** Version of that dataset; empty: the newest. */
      version?: string;
      /** Name; empty: made of model and dataset. */
      name?: string;
    };
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Pause a job: its place on the trainer becomes free at the end of the epoch. */
  "POST /training/jobs/{id}/pause": {
    body: {
      /** Do not wait for the end of the epoch under way: what it has done is lost. */
      now?: boolean;
    };
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Stop a training early and keep the best that it has so far. */
  "POST /training/jobs/{id}/stop": {
    body: {
      /** Do not wait for the end of the epoch under way: what it has done is lost. */
      now?: boolean;
    };
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Every metric of every epoch: {metrics: {name: [{epoch, step, value, time}]}}. */
  "GET /training/jobs/{id}/metrics": {
    query: {
      /** Only this one, e.g. val/accuracy. */
      name?: string;
      /** Only epochs after this one. */
      since?: number;
    };
  };
  /** Log lines by page: {logs: [...], next}. */
  "GET /training/jobs/{id}/logs": {
    query: {
      /** Part of the line. */
      q?: string;
      /** Least severity. */
      level?: "debug" | "info" | "warning" | "error";
      /** Which line comes first. */
      order?: "oldest" | "newest";
      /** `next` of the page before. */
      after?: number;
      /** Lines of a page. */
      limit?: number;
    };
  };
  /** Checkpoints, oldest first. */
  "GET /training/jobs/{id}/checkpoints": Record<string, never>;
  /** One checkpoint (best, last or an epoch), with a link to its weights. */
  "GET /training/jobs/{id}/checkpoints/{checkpoint}": Record<string, never>;
  /** Attempts, newest first. */
  "GET /training/jobs/{id}/attempts": Record<string, never>;
  /** Which epochs have results. */
  "GET /training/jobs/{id}/validation": Record<string, never>;
  /** Scores, scores of each class and confusion matrix of an epoch. */
  "GET /training/jobs/{id}/validation/{epoch}": Record<string, never>;
  /** The result for every picture, by page: {images: [...], next}. */
  "GET /training/jobs/{id}/validation/{epoch}/images": {
    query: {
      /** Only right or only wrong ones. */
      correct?: "any" | "true" | "false";
      /** Only with such a mistake: a false positive, a missed object, a wrong class. */
      mistake?: "any" | "false" | "missed" | "wrong_class";
      /** Index of the true class; -1 any; of boxes, the number of classes: background. */
      label?: number;
      /** Index of the predicted class; -1 any; of boxes, the number of classes: background. */
      predicted?: number;
      /** Index of the true or the predicted class; -1 any. */
      class?: number;
      /** Of boxes: least confidence; -1: best_confidence, as in the confusion matrix. */
      threshold?: number;
      /** Part of the name. */
      q?: string;
      /** index: as in the results; hardest: the largest score first. */
      order?: "index" | "hardest";
      /** `next` of the page before. */
      after?: string;
      /** Pictures of a page. */
      limit?: number;
    };
  };
  /** What a threshold does to the whole split: {images, objects, hits, false}. */
  "GET /training/jobs/{id}/validation/{epoch}/counts": Record<string, never>;
  /** A run's metrics by step, as columns: {n, step, epochs, time, metrics: {name: []}}. */
  "GET /training/jobs/{id}/series": {
    query: {
      /** Metrics, separated by commas; empty: all. */
      names?: string;
      /** Thin to about so many: the least and greatest of each stretch stay; 0: all. */
      points?: number;
      /** Only rows beyond this `n`: what is new since the last time. */
      after?: number;
    };
  };
  /** What the sheet of training pictures shows: classes, labels and boxes. */
  "GET /training/jobs/{id}/samples": Record<string, never>;
  /** Training pictures as they enter the network, on one sheet (JPEG). */
  "GET /training/jobs/{id}/samples/sheet": Record<string, never>;
  /** What a training would be: faults, warnings, how long; makes none. */
  "POST /training/check": {
    query: {
      /** Let the trainer measure the model, where it has not yet. */
      measure?: boolean;
    };
    body: {
      /** Name for people; empty: made of model and dataset. */
      name?: string;
      /** Id or name of the dataset's project, to be sure; `default` is one too. */
      project?: string;
      /** Id or name of the dataset. */
      dataset: string;
      /** Hash or number of its version; empty: the newest. */
      version?: string;
      /** Whose trainer runs it. */
      framework?: string;
      /** Settings to begin with: quick, standard, thorough, fine-tune; config goes over. */
      preset?: string;
      /** Train settings; GET /models lists them.  What is absent is default. */
      config?: unknown;
      /** 0 to 100, higher goes first. */
      priority?: number;
      /** Further attempts after a lost one; -1: as configured. */
      retries?: number;
      /** Queue it at once; else it stays pending. */
      start?: boolean;
      /** Go on from a checkpoint of another job. */
      from_checkpoint?: unknown;
      /** Short texts. */
      tags?: string[];
      /** Notes. */
      notes?: string;
      /** Short for config.model. */
      model_name?: string;
      /** Short for config.epochs; 0: not given. */
      epochs?: number;
      /** Short for config.batch_size. */
      batch_size?: number;
      /** Short for config.learning_rate. */
      learning_rate?: number;
    };
  };
  /** Settings under one name: quick, standard, thorough, fine-tune. */
  "GET /training/presets": Record<string, never>;
  /** A job's events as Server-Sent Events. */
  "GET /training/jobs/{id}/events": {
    query: {
      /** Number of the last event seen; a Last-Event-ID header counts more. */
      after?: number;
    };
  };
  /** A job's events over a WebSocket: {id, event, data} in text frames. */
  "GET /ws/training/{id}": {
    query: {
      /** Number of the last event seen; a Last-Event-ID header counts more. */
      after?: number;
    };
  };
  /** What pictures show, said by a checkpoint of the job. */
  "POST /training/jobs/{id}/predict": {
    query: {
      /** best, last or an epoch. */
      checkpoint?: string;
      /** Classes to return of a classifier. */
      top_k?: number;
      /** Least confidence of a box. */
      confidence?: number;
      /** Boxes of a class that overlap by more than this are one. */
      iou?: number;
      /** Boxes to return of a picture. */
      max?: number;
      /** Send masks, as run lengths. */
      masks?: boolean;
      /** Send each picture with its answer drawn on it, as PNG in base64 (`drawn`); at most 4 pictures. */
      draw?: boolean;
      /** Name of a picture that is sent as the plain body. */
      file?: string;
    };
    reply: {
      /** Name of the network. */
      model: string;
      /** What it answers. */
      task: string;
      /** One a picture. */
      results: ({
        /** Name of the picture as sent. */
        file: string;
        /** Pixels of the picture, upright; 0: it could not be read. */
        width: number;
        /** Pixels. */
        height: number;
        /** Best first. */
        predictions: {
          /** Name of the class. */
          class: string;
          /** Index of the class. */
          class_id: number;
          /** Probability, 0 to 1. */
          confidence: number;
          /** Semantic segmentation: part of the picture's pixels. */
          share: number;
          /** [x, y, width, height] in pixels of the picture. */
          box: unknown;
          /** {size: [height, width], counts}: COCO's compressed run lengths. */
          mask: unknown;
        }[];
        /** Why there is no prediction. */
        error: string | null;
        /** Time for this picture in milliseconds. */
        ms: number;
        /** The picture with its answer drawn on it: PNG in base64. */
        drawn: string;
      })[];
    };
  };
  /** Upload a safetensors file of first weights: {sha256, bytes}. */
  "PUT /training/weights/{sha256}": Record<string, never>;
  /** Registered models of the caller's projects: {models: [...], next}. */
  "GET /registry/models": {
    query: {
      /** Part of the name. */
      q?: string;
      /** Only of this project, by id; default for the default one. */
      project?: string;
      /** `next` of the page before. */
      cursor?: string;
      /** Rows of a page. */
      limit?: number;
    };
  };
  /** Register a model: a checkpoint of a job becomes its version 1. */
  "POST /registry/models": {
    body: {
      /** Name: a-z 0-9 . _ -, as it will stand in URLs. */
      name: string;
      /** What it is for. */
      description?: string;
      /** Id of the job that trained it. */
      job: string;
      /** best, last or an epoch. */
      checkpoint?: string;
      /** What is new in it. */
      notes?: string;
    };
    reply: {
      /** Id of the model. */
      id: string;
      /** Its project; null: the default one. */
      project_id: string | null;
      /** Name, unique within the project, as it stands in URLs. */
      name: string;
      /** classification, detection, segmentation or semantic. */
      task: string;
      /** What it is for. */
      description: string;
      /** Id of the account that registered it. */
      created_by: string | null;
      /** That account's name. */
      created_by_name: string | null;
      /** Number of the newest version. */
      version_last: number;
      /** How many versions are not archived. */
      versions: number;
      /** What is live: [{alias, version, since}]. */
      aliases: unknown;
      /** When it was registered. */
      created_at: string | null;
      /** When something last changed. */
      updated_at: string | null;
    };
  };
  /** A registered model by name or id. */
  "GET /registry/models/{model}": {
    reply: Routes["POST /registry/models"]["reply"];
  };
  /** Change its description. */
  "PUT /registry/models/{model}": {
    body: {
      /** What it is for. */
      description?: string;
    };
    reply: Routes["POST /registry/models"]["reply"];
  };
  /** Versions, newest first: {versions: [...]}. */
  "GET /registry/models/{model}/versions": {
    query: {
      /** Only versions before this number; 0: from the newest. */
      before?: number;
      /** Rows of a page. */
      limit?: number;
    };
  };
  /** Register a checkpoint of a job as the next version. */
  "POST /registry/models/{model}/versions": {
    body: {
      /** Id of the job that trained it. */
      job: string;
      /** best, last or an epoch. */
      checkpoint?: string;
      /** What is new in it. */
      notes?: string;
    };
    reply: {
      /** Id of the model. */
      model_id: string;
      /** Its name. */
      model: string;
      /** 1, 2, .. within the model. */
      version: number;
      /** draft, evaluated, approved, live (an alias names it) or archived. */
      state: "draft" | "evaluated" | "approved" | "live" | "archived";
      /** What is new in it. */
      notes: string;
      /** Job that trained it. */
      job_id: string;
      /** Its name then. */
      job_name: string;
      /** Whose trainer runs it. */
      framework: string;
      /** Name of the network. */
      network: string;
      /** Score that decided which epoch was best. */
      goal: string;
      /** Epoch of the checkpoint. */
      epoch: number;
      /** Score of the checkpoint while training. */
      metric: string | null;
      /** Its value. */
      value: number | null;
      /** Dataset that it learned. */
      dataset_id: string;
      /** Its name then. */
      dataset_name: string;
      /** SHA-256 of the dataset version. */
      dataset_version: string;
      /** Every train setting. */
      config: unknown;
      /** {version, backend, isa, onednn, precision} that computed it. */
      engine: unknown;
      /** SHA-256 of the weights file. */
      weights_sha256: string;
      /** Its size in bytes. */
      weights_bytes: number;
      /** Id of the account that registered it. */
      created_by: string | null;
      /** That account's name. */
      created_by_name: string | null;
      /** Id of the account that approved it. */
      approved_by: string | null;
      /** That account's name. */
      approved_by_name: string | null;
      /** When it was registered. */
      created_at: string | null;
      /** When it was approved. */
      approved_at: string | null;
      /** When its state last changed. */
      updated_at: string | null;
      /** Names of the aliases that name it now. */
      aliases: unknown;
      /** The newest evaluation: {status, split, dataset_name, scores, ..}; null none. */
      evaluation: unknown;
    };
  };
  /** A version by number or alias, or `latest`. */
  "GET /registry/models/{model}/versions/{version}": {
    reply: Routes["POST /registry/models/{model}/versions"]["reply"];
  };
  /** Download the weights file (safetensors, with all that is needed to predict). */
  "GET /registry/models/{model}/versions/{version}/weights": Record<string, never>;
  /** Which versions a job's checkpoints became: {versions: [...]}. */
  "GET /registry/versions": {
    query: {
      /** Id of a job. */
      job?: string;
    };
  };
  /** Score the version on a split, as a job of kind test. */
  "POST /registry/models/{model}/versions/{version}/evaluate": {
    body: {
      /** train, val or test. */
      split?: string;
      /** Another dataset; empty: the one it was trained on. */
      dataset?: string;
      /** Version of that dataset; empty: the newest of another dataset, else the one it was trained on. */
      version?: string;
    };
    reply: Routes["POST /training/jobs"]["reply"];
  };
  /** Its evaluations, newest first: {evaluations: [...]}. */
  "GET /registry/models/{model}/versions/{version}/evaluations": Record<string, never>;
  /** Approve a version, withdraw the approval, archive or restore it. */
  "POST /registry/models/{model}/versions/{version}/state": {
    body: {
      /** approve, withdraw (the approval), archive or restore. */
      action: "approve" | "withdraw" | "archive" | "restore";
      /** Why; kept in the history. */
      note?: string;
    };
    reply: Routes["POST /registry/models/{model}/versions"]["reply"];
  };
  /** Publish an approved version under an alias, e.g. production. */
  "PUT /registry/models/{model}/aliases/{alias}": {
    body: {
      /** Number of an approved version. */
      version: number;
      /** Version that the caller sees live now, 0 for none: 409 if it is another.  -1: not said. */
      expected?: number;
      /** Why; kept in the history. */
      note?: string;
    };
    reply: Routes["POST /registry/models/{model}/versions"]["reply"];
  };
  /** Nothing is live under the alias any more. */
  "DELETE /registry/models/{model}/aliases/{alias}": Record<string, never>;
  /** Make live again what was live under the alias before. */
  "POST /registry/models/{model}/aliases/{alias}/rollback": {
    body: {
      /** Version that the caller sees live now, 0 for none: 409 if it is another.  -1: not said. */
      expected?: number;
      /** Why; kept in the history. */
      note?: string;
    };
    reply: Routes["POST /registry/models/{model}/versions"]["reply"];
  };
  /** Who did what, and what was live when: {events: [...], publications: [...]}. */
  "GET /registry/models/{model}/history": {
    query: {
      /** Only events before this id; 0: from the newest. */
      before?: number;
      /** Events of a page. */
      limit?: number;
    };
  };
  /** What the project asks of its registry. */
  "GET /projects/{id}/registry": {
    reply: {
      /** Who registered a version may not approve it. */
      approve_by_other: boolean;
    };
  };
  /** Set what the project asks; `default` is a project too. */
  "PUT /projects/{id}/registry": {
    body: {
      /** Who registered a version may not approve it. */
      approve_by_other?: boolean;
    };
    reply: Routes["GET /projects/{id}/registry"]["reply"];
  };
  /** What pictures show, said by a registered model. */
  "POST /models/{model}/predict": {
    query: {
      /** Number of a version, an alias, or `latest`. */
      version?: string;
      /** Classes to return of a classifier. */
      top_k?: number;
      /** Least confidence of a box. */
      confidence?: number;
      /** Boxes of a class that overlap by more than this are one. */
      iou?: number;
      /** Boxes to return of a picture. */
      max?: number;
      /** Send masks, as run lengths. */
      masks?: boolean;
      /** Send each picture with its answer drawn on it, as PNG in base64 (`drawn`); at most 4 pictures. */
      draw?: boolean;
      /** Name of a picture that is sent as the plain body. */
      file?: string;
    };
  };
  /** The same by the version that is live under an alias. */
  "POST /models/{model}/aliases/{alias}/predict": {
    query: {
      /** Classes to return of a classifier. */
      top_k?: number;
      /** Least confidence of a box. */
      confidence?: number;
      /** Boxes of a class that overlap by more than this are one. */
      iou?: number;
      /** Boxes to return of a picture. */
      max?: number;
      /** Send masks, as run lengths. */
      masks?: boolean;
      /** Send each picture with its answer drawn on it, as PNG in base64 (`drawn`); at most 4 pictures. */
      draw?: boolean;
      /** Name of a picture that is sent as the plain body. */
      file?: string;
    };
  };
  /** Links for visitors: {links: [...]}. */
  "GET /registry/models/{model}/links": Record<string, never>;
  /** Make a link under which anybody may try what is live under an alias. */
  "POST /registry/models/{model}/links": {
    body: {
      /** Alias whose version visitors try, whichever it is then. */
      alias?: string;
      /** What visitors read above it; empty: the model's name. */
      title?: string;
      /** Visitors may send pictures to the server; else the model runs in their tab and nothing is sent. */
      server?: boolean;
      /** Days until it ends. */
      days?: number;
    };
  };
  /** Revoke a link, at once. */
  "DELETE /registry/models/{model}/links/{link}": Record<string, never>;
  /** What a visitor's link shows: {title, model, task, server, weights_bytes, ..}. */
  "GET /public/model": Record<string, never>;
  /** The weights file, to run the model in the tab. */
  "GET /public/model/weights": Record<string, never>;
  /** What pictures show, where the link allows it. */
  "POST /public/model/predict": {
    query: {
      /** Classes to return of a classifier. */
      top_k?: number;
      /** Least confidence of a box. */
      confidence?: number;
      /** Boxes of a class that overlap by more than this are one. */
      iou?: number;
      /** Boxes to return of a picture. */
      max?: number;
      /** Send masks, as run lengths. */
      masks?: boolean;
      /** Send each picture with its answer drawn on it, as PNG in base64 (`drawn`); at most 4 pictures. */
      draw?: boolean;
      /** Name of a picture that is sent as the plain body. */
      file?: string;
    };
  };
  /** Make a checkpoint a file for other programs, verified. */
  "POST /training/jobs/{id}/export": {
    body: {
      /** onnx (opset 17), c (one C99 file with its header) or safetensors. */
      format?: "onnx" | "c" | "safetensors";
      /** The input is pixels, 0 to 255: the normalisation becomes part of the network. */
      pixels?: boolean;
      /** best, last or an epoch. */
      checkpoint?: string;
    };
  };
  /** Download what was exported. */
  "GET /training/jobs/{id}/export": {
    query: {
      /** onnx (opset 17), c (one C99 file with its header) or safetensors. */
      format?: "onnx" | "c" | "safetensors";
      /** The input is pixels, 0 to 255: the normalisation becomes part of the network. */
      pixels?: boolean;
      /** best, last or an epoch. */
      checkpoint?: string;
      /** header: that of C. */
      part?: "file" | "header";
    };
  };
  /** Download a checkpoint's weights file (safetensors). */
  "GET /training/jobs/{id}/weights": {
    query: {
      /** best, last or an epoch. */
      checkpoint?: string;
    };
  };
  /** Make a version a file for other programs, verified. */
  "POST /registry/models/{model}/versions/{version}/export": {
    body: {
      /** onnx (opset 17), c (one C99 file with its header) or safetensors. */
      format?: "onnx" | "c" | "safetensors";
      /** The input is pixels, 0 to 255: the normalisation becomes part of the network. */
      pixels?: boolean;
    };
  };
  /** Download what was exported. */
  "GET /registry/models/{model}/versions/{version}/export": {
    query: {
      /** onnx (opset 17), c (one C99 file with its header) or safetensors. */
      format?: "onnx" | "c" | "safetensors";
      /** The input is pixels, 0 to 255: the normalisation becomes part of the network. */
      pixels?: boolean;
      /** header: that of C. */
      part?: "file" | "header";
    };
  };
  /** A trainer reports; applied exactly once, in order. */
  "POST /training/jobs/{id}/callback": {
    body: {
      /** Attempt of the job: the fencing token. */
      attempt?: number;
      /** Number of the report within the attempt, from 1. */
      seq?: number;
      /** What is reported. */
      kind: "started" | "progress" | "epoch" | "checkpoint" | "log" | "completed" | "failed" | "cancelled";
      /** Unix time in milliseconds at the worker. */
      time?: number;
      /** Part of the whole job that is done. */
      progress?: number;
      /** Epochs completed, or under way for progress. */
      epoch?: number;
      /** Epochs in all. */
      epochs?: number;
      /** Steps done in the epoch. */
      step?: number;
      /** Steps of an epoch. */
      steps?: number;
      /** Object of numbers by name, e.g. {"train/loss": 0.4}. */
      metrics?: unknown;
      /** Log lines. */
      logs?: ({
        /** Unix time in milliseconds. */
        time?: number;
        /** Severity. */
        level?: "debug" | "info" | "warning" | "error";
        /** One line. */
        message?: string;
        /** Epoch during which it was written. */
        epoch?: number;
      })[];
      /** A checkpoint that is durable. */
      checkpoint?: unknown;
      /** Where the results of each picture lie. */
      validation?: unknown;
      /** The best epoch so far. */
      best?: unknown;
      /** SHA-256 of the best checkpoint's weights. */
      weights_sha256?: string;
      /** What is going on, in a sentence. */
      message?: string;
      /** What computes, said at the start. */
      engine?: unknown;
      /** Started: training pictures as they enter the network, on a sheet. */
      samples?: unknown;
      /** Stable code of a failure. */
      error_code?: string;
      /** What failed and what to do. */
      error?: string;
      /** Another attempt may help. */
      retryable?: boolean;
    };
    reply: {
      /** The report changed the job. */
      applied: boolean;
      /** Why not: duplicate, stale_attempt, terminal. */
      reason: string;
      /** State of the job. */
      job_status: "pending" | "queued" | "running" | "completed" | "failed" | "cancelled";
      /** The worker must stop now. */
      cancel: boolean;
      /** The next report that will be applied. */
      expected_seq: number;
    };
  };
  /** URLs to put checkpoints and results of the job. */
  "POST /training/jobs/{id}/uploads": {
    body: {
      /** Objects to upload. */
      objects?: {
        /** What it is, for the log. */
        name?: string;
        /** SHA-256 of the content. */
        sha256: string;
        /** Size in bytes. */
        bytes?: number;
      }[];
      /** Keys to download. */
      keys?: string[];
    };
    reply: {
      /** In the order asked for. */
      urls: {
        /** Object key. */
        key: string;
        /** Presigned URL: one method, one key, a limited time. */
        url: string;
      }[];
      /** When the URLs end. */
      expires_at: string | null;
    };
  };
  /** URLs to get the job's manifest, images and checkpoints. */
  "POST /training/jobs/{id}/downloads": {
    body: {
      /** Objects to upload. */
      objects?: {
        /** What it is, for the log. */
        name?: string;
        /** SHA-256 of the content. */
        sha256: string;
        /** Size in bytes. */
        bytes?: number;
      }[];
      /** Keys to download. */
      keys?: string[];
    };
    reply: Routes["POST /training/jobs/{id}/uploads"]["reply"];
  };
  /** Models of all trainers, each with its settings; the trainers' states. */
  "GET /models": Record<string, never>;
  /** Models of all trainers, each with its settings; the trainers' states. */
  "GET /models/list": Record<string, never>;
  /** All webhooks. */
  "GET /webhooks": Record<string, never>;
  /** Make a webhook; the secret that signs it is shown this once, as `secret`. */
  "POST /webhooks": {
    body: {
      /** Where to post to. */
      url: string;
      /** What it is for. */
      description?: string;
      /** job.running, job.completed, job.failed, job.cancelled; separated by a space. */
      events?: string;
      /** Id of a project; absent: jobs of every project. */
      project?: string;
    };
    reply: {
      /** Id of the webhook. */
      id: string;
      /** Project whose jobs it tells of; null: of every project. */
      project_id: string | null;
      /** Where it posts to. */
      url: string;
      /** What it is for. */
      description: string;
      /** Names of events, separated by spaces. */
      events: string;
      /** Whether it is used. */
      active: boolean;
      /** Id of the account that made it. */
      created_by: string | null;
      /** When it was made. */
      created_at: string | null;
      /** Deliveries that are still to be made. */
      waiting: number;
      /** Deliveries that were given up, of those kept. */
      failed: number;
    };
  };
  /** A webhook. */
  "GET /webhooks/{id}": {
    reply: Routes["POST /webhooks"]["reply"];
  };
  /** Change a webhook. */
  "PATCH /webhooks/{id}": {
    body: {
      /** New URL. */
      url?: string;
      /** New description. */
      description?: unknown;
      /** New events. */
      events?: string;
      /** true or false; an inactive one is told nothing. */
      active?: unknown;
    };
    reply: Routes["POST /webhooks"]["reply"];
  };
  /** Delete a webhook and what it has still to be told. */
  "DELETE /webhooks/{id}": Record<string, never>;
  /** Send it an event `ping`. */
  "POST /webhooks/{id}/ping": Record<string, never>;
  /** What it was told of late, and how it answered. */
  "GET /webhooks/{id}/deliveries": Record<string, never>;
  /** Who did what, newest first. */
  "GET /audit": {
    query: {
      /** Id of an account, or part of its name. */
      actor?: string;
      /** Part of the action or of the path. */
      q?: string;
      /** Only what was not done: status 400 and up. */
      refused?: boolean;
      /** Only from then on. */
      since?: string;
      /** Rows of a page. */
      limit?: number;
      /** `next` of the page before. */
      cursor?: string;
    };
  };
  /** What the object store holds, bucket by bucket, and how whole it is. */
  "GET /storage": {
    reply: {
      /** The store is the one in this program; else the rest is 0. */
      embedded: boolean;
      /** URL of another store; empty: the embedded one. */
      endpoint: string;
      /** Bucket of datasets, checkpoints and results. */
      bucket: string;
      /** Objects in all buckets. */
      objects: number;
      /** Their bytes, as clients count them. */
      object_bytes: number;
      /** Different contents, each stored once. */
      contents: number;
      /** Bytes of those. */
      content_bytes: number;
      /** Free on the store's disk. */
      disk_free_bytes: number;
      /** Size of that disk. */
      disk_bytes: number;
      /** Files in which small objects are packed. */
      segments: number;
      /** Their bytes. */
      segment_bytes: number;
      /** Of those, what compaction will free. */
      segment_dead_bytes: number;
      /** Contents known to be wrong on the disk. */
      damaged: number;
      /** Contents that have no checksums yet. */
      unverified: number;
      /** End of the last whole scrub, which reads and checks all. */
      scrubbed_at: string | null;
      /** Contents that the scrub under way has read. */
      scrub_done: number;
      /** Contents that it has still to read. */
      scrub_pending: number;
      /** [{name, owner, created_at, versioned, objects, bytes, versions, version_bytes}] */
      buckets: unknown;
    };
  };
  /** Every setting of the program, with where its value came from. */
  "GET /settings": Record<string, never>;
  /** Whether database, store and trainers answer, each asked now. */
  "GET /health": Record<string, never>;
  /** Counters for Prometheus, text format 0.0.4. */
  "GET /metrics": Record<string, never>;
  /** Name, version, open registration. */
  "GET /version": Record<string, never>;
  /** This API as OpenAPI 3.1. */
  "GET /openapi.json": Record<string, never>;
  /** This API as a page. */
  "GET /docs": Record<string, never>;
  /** The web app. */
  "GET /": Record<string, never>;
  /** The first page of the web app. */
  "GET /app": Record<string, never>;
  /** A page of the web app. */
  "GET /app/{page}": Record<string, never>;
  /** The page of a visitor's link: a model that is tried without an account. */
  "GET /try": Record<string, never>;
  /** A file of the web app. */
  "GET /assets/{file}": Record<string, never>;
  /** The icon. */
  "GET /favicon.svg": Record<string, never>;
}

export type Route = keyof Routes;
export type Query<R extends Route> = Routes[R] extends { query: infer T } ? T : never;
export type Body<R extends Route> = Routes[R] extends { body: infer T } ? T : never;
export type Reply<R extends Route> = Routes[R] extends { reply: infer T } ? T : never;
