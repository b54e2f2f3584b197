/* registry.c - see registry.h: names, the one table of arrows, and what travels. */
#include "flow/registry/registry_int.h"

#include <stdio.h>

const char *const version_state_names[] = {"draft", "evaluated", "approved",
                                           "live",  "archived",  NULL};
const char *const version_verb_names[] = {"approve", "withdraw", "archive", "restore", NULL};

#define S struct registry_model
const struct field registry_model_fields[] = {
    F_STR(S, id, .help = "Id of the model."),
    F_STR(S, project_id, .flags = FIELD_NULLABLE, .help = "Its project; null: the default one."),
    F_STR(S, name, .help = "Name, unique within the project, as it stands in URLs."),
    F_STR(S, task, .help = "classification, detection, segmentation or semantic."),
    F_STR(S, description, .help = "What it is for."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that registered it."),
    F_STR(S, created_by_name, .flags = FIELD_NULLABLE, .help = "That account's name."),
    F_INT(S, version_last, .help = "Number of the newest version."),
    F_INT(S, versions, .help = "How many versions are not archived."),
    F_JSON(S, aliases, .help = "What is live: [{alias, version, since}]."),
    F_TIME(S, created_at, .help = "When it was registered."),
    F_TIME(S, updated_at, .help = "When something last changed."),
    FIELD_END};
#undef S

#define S struct registry_version
const struct field registry_version_fields[] = {
    F_STR(S, model_id, .help = "Id of the model."),
    F_STR(S, model, .help = "Its name."),
    {.name = "version",
     .type = FIELD_INT,
     .offset = offsetof(S, number),
     .help = "1, 2, .. within the model."},
    F_ENUM(S, state, version_state_names,
           .help = "draft, evaluated, approved, live (an alias names it) or archived."),
    F_STR(S, notes, .help = "What is new in it."),
    F_STR(S, job_id, .help = "Job that trained it."),
    F_STR(S, job_name, .help = "Its name then."),
    F_STR(S, framework, .help = "Whose trainer runs it."),
    F_STR(S, network, .help = "Name of the network."),
    F_STR(S, goal, .help = "Score that decided which epoch was best."),
    F_INT(S, epoch, .help = "Epoch of the checkpoint."),
    F_STR(S, metric, .flags = FIELD_NULLABLE, .help = "Score of the checkpoint while training."),
    F_NUM(S, value, .flags = FIELD_NULLABLE, .help = "Its value."),
    F_STR(S, dataset_id, .help = "Dataset that it learned."),
    F_STR(S, dataset_name, .help = "Its name then."),
    F_STR(S, dataset_version, .help = "SHA-256 of the dataset version."),
    F_JSON(S, config, .help = "Every train setting."),
    F_JSON(S, engine, .flags = FIELD_NULLABLE,
           .help = "{version, backend, isa, onednn, precision} that computed it."),
    F_STR(S, weights_sha256, .help = "SHA-256 of the weights file."),
    F_INT(S, weights_bytes, .help = "Its size in bytes."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that registered it."),
    F_STR(S, created_by_name, .flags = FIELD_NULLABLE, .help = "That account's name."),
    F_STR(S, approved_by, .flags = FIELD_NULLABLE, .help = "Id of the account that approved it."),
    F_STR(S, approved_by_name, .flags = FIELD_NULLABLE, .help = "That account's name."),
    F_TIME(S, created_at, .help = "When it was registered."),
    F_TIME(S, approved_at, .help = "When it was approved."),
    F_TIME(S, updated_at, .help = "When its state last changed."),
    F_JSON(S, aliases, .help = "Names of the aliases that name it now."),
    F_JSON(S, evaluation, .flags = FIELD_NULLABLE,
           .help = "The newest evaluation: {status, split, dataset_name, scores, ..}; null none."),
    FIELD_END};
#undef S

#define S struct registry_evaluation
const struct field registry_evaluation_fields[] = {
    F_STR(S, id, .help = "Id of the evaluation."),
    F_STR(S, job_id, .help = "Job of kind test that scores it."),
    F_STR(S, dataset_id, .help = "Dataset it is scored on."),
    F_STR(S, dataset_name, .help = "Its name then."),
    F_STR(S, dataset_version, .help = "SHA-256 of the dataset version."),
    F_STR(S, split, .help = "train, val or test."),
    F_STR(S, status, .help = "running, completed, failed or cancelled."),
    F_JSON(S, scores, .help = "{metric: value}."),
    F_STR(S, error, .flags = FIELD_NULLABLE, .help = "Why it failed."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that asked for it."),
    F_STR(S, created_by_name, .flags = FIELD_NULLABLE, .help = "That account's name."),
    F_TIME(S, created_at, .help = "When it was asked for."),
    F_TIME(S, ended_at, .help = "When it ended."),
    FIELD_END};
#undef S

#define S struct registry_publication
const struct field registry_publication_fields[] = {
    F_STR(S, alias, .help = "Name under which it was live."),
    F_INT(S, version, .help = "Number of the version."),
    F_INT(S, back, .help = "Version to which a roll back would go; 0: none."),
    F_BOOL(S, rollback, .help = "It came by a roll back."),
    F_STR(S, by_name, .help = "Who published it."),
    F_TIME(S, at, .help = "Live since."),
    F_TIME(S, ended_at, .help = "Live until; null: it is live."),
    FIELD_END};
#undef S

#define S struct registry_event
const struct field registry_event_fields[] = {
    F_INT(S, id, .help = "Number of the event, rising."),
    F_STR(S, kind,
          .help = "registered, evaluating, evaluated, evaluation_failed, approved, withdrawn, "
                  "archived, restored, published, rolled_back, unpublished, described, "
                  "link_made, link_revoked."),
    F_INT(S, version, .help = "Version it is about; 0: the model."),
    F_STR(S, alias, .flags = FIELD_NULLABLE, .help = "Alias it is about."),
    F_STR(S, from, .flags = FIELD_NULLABLE, .help = "State before."),
    F_STR(S, to, .flags = FIELD_NULLABLE, .help = "State after."),
    F_INT(S, other, .help = "Version that was live before; 0: none."),
    F_STR(S, note, .flags = FIELD_NULLABLE, .help = "What was said about it."),
    F_STR(S, by, .flags = FIELD_NULLABLE, .help = "Id of the account; null: the server itself."),
    F_STR(S, by_name, .help = "Its name then."),
    F_TIME(S, at, .help = "When."),
    FIELD_END};
#undef S

#define S struct registry_link
const struct field registry_link_fields[] = {
    F_STR(S, id, .help = "Id of the link."),
    F_STR(S, alias, .help = "Alias whose version visitors try."),
    F_STR(S, title, .help = "What visitors read above it."),
    F_BOOL(S, server, .help = "Pictures may be sent to the server; else all stays in the tab."),
    F_STR(S, created_by, .flags = FIELD_NULLABLE, .help = "Id of the account that made it."),
    F_STR(S, created_by_name, .flags = FIELD_NULLABLE, .help = "That account's name."),
    F_TIME(S, created_at, .help = "When it was made."),
    F_TIME(S, expires_at, .help = "When it ends."),
    F_TIME(S, revoked_at, .help = "When it was revoked; null: it was not."),
    F_INT(S, visits, .help = "How often its page was opened."),
    F_TIME(S, last_used_at, .help = "When it was last opened."),
    FIELD_END};
#undef S

enum rc registry_nomem(struct err *e)
{
    return err_set(e, RC_NOMEM, "out of memory while reading the registry");
}

/* ---- names */

static bool name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

enum rc registry_name_check(str name, const char *field, struct err *e)
{
    bool letter = false;
    enum rc rc = RC_OK;

    for (size_t i = 0; i < name.n && !rc; i++) {
        letter |= name.p[i] >= 'a' && name.p[i] <= 'z';
        if (!name_byte(name.p[i]))
            rc = RC_INVALID;
    }
    if (!rc && letter && name.n <= REGISTRY_NAME_MAX && name.p[0] != '.' && name.p[0] != '-' &&
        !str_is(name, "latest"))
        return RC_OK;
    return err_field(e, RC_INVALID, field,
                     "a name has 1 to %d of the characters a-z 0-9 . _ -, a letter among them, and "
                     "is not 'latest': it stands in URLs",
                     REGISTRY_NAME_MAX);
}

void registry_weights_key(str sha256, char ret[REGISTRY_KEY_MAX])
{
    ASSERT(is_sha256_hex(sha256));
    snprintf(ret, REGISTRY_KEY_MAX, "models/%.*s", STR_F(sha256));
}

/* ---- states */

int version_state_of(str name)
{
    int i = 0;

    while (version_state_names[i] && !str_is(name, version_state_names[i]))
        i++;
    ASSERT(version_state_names[i]);
    return i;
}

#define FROM(s) (1u << VERSION_##s)
static const struct arrow {
    unsigned from;
    enum version_state to;
    const char *unless; /* what else to do */
} arrows[VERB_COUNT] = {
    [VERB_APPROVE] = {FROM(EVALUATED), VERSION_APPROVED, "evaluate it first"},
    [VERB_WITHDRAW] = {FROM(APPROVED), VERSION_EVALUATED,
                       "take it out of its aliases first, if it is live"},
    [VERB_ARCHIVE] = {FROM(DRAFT) | FROM(EVALUATED) | FROM(APPROVED), VERSION_ARCHIVED,
                      "publish another version under its aliases first, or unpublish them"},
    [VERB_RESTORE] = {FROM(ARCHIVED), VERSION_DRAFT, "only archived versions are restored"},
};

enum rc verb_target(enum version_verb verb, enum version_state from, bool scored,
                    enum version_state *ret, struct err *e)
{
    const struct arrow *a = &arrows[verb];

    if (!(a->from & 1u << from))
        return err_set(e, RC_CONFLICT, "this version is %s, so one cannot %s it; %s",
                       version_state_names[from], version_verb_names[verb], a->unless);
    *ret = verb == VERB_RESTORE && scored ? VERSION_EVALUATED : a->to;
    return RC_OK;
}
