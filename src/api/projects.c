/* projects.c - projects and their members. */
#include "api/access.h"
#include "api/app.h"
#include "flow/people/people.h"

struct project_body {
    str name, description;
};
static const struct field project_body_fields[] = {
    F_STR(struct project_body, name, .flags = FIELD_REQUIRED, .min = 1, .max = 200,
          .help = "Name."),
    F_STR(struct project_body, description, .max = 4096, .help = "What it is about."), FIELD_END};

struct member_body {
    str email;
    int role;
};
static const struct field member_body_fields[] = {
    F_STR(struct member_body, email, .flags = FIELD_REQUIRED, .max = 254,
          .help = "E-mail or id of an account."),
    F_ENUM(struct member_body, role, member_role_names, .dflt = "\"engineer\"",
           .help = "viewer sees, engineer trains, manager edits, owner decides."),
    FIELD_END};

/* The project of {id}, if the caller may act in it as `needed`. */
static enum rc project_of(struct ctx *c, enum role needed, struct project *ret, struct err *e)
{
    enum rc rc = project_get(c->app->db, c->a, c->param[0], c->who.user_id, ret, e);

    return rc ? rc : project_may(c, ret->id, needed, e);
}

static void write_project(void *ud, const struct project *p)
{
    field_write(project_fields, p, ud);
}

static void write_member(void *ud, const struct member *m)
{
    field_write(member_fields, m, ud);
}

static enum rc get_projects(struct ctx *c, struct err *e)
{
    struct buf b;
    struct jw w;

    reply_list_begin(&b, &w, "projects");
    return reply_list_end(
        c, project_list(c->app->db, c->who.user_id, sees_all_projects(c), write_project, &w, e), &b,
        &w, e);
}

static enum rc post_project(struct ctx *c, struct err *e)
{
    const struct project_body *b = c->body;
    struct project p;
    enum rc rc = project_new(c->app->db, c->a, c->who.user_id, b->name, b->description, &p, e);

    return rc ? rc : reply_fields(c, 201, project_fields, &p, e);
}

static enum rc get_project(struct ctx *c, struct err *e)
{
    struct project p;
    enum rc rc = project_of(c, ROLE_VIEWER, &p, e);

    return rc ? rc : reply_fields(c, 200, project_fields, &p, e);
}

static enum rc put_project(struct ctx *c, struct err *e)
{
    const struct project_body *b = c->body;
    struct project p;
    enum rc rc = project_of(c, ROLE_MANAGER, &p, e);

    if (!rc)
        rc = project_update(c->app->db, p.id, b->name, b->description, e);
    return rc ? rc : get_project(c, e);
}

static enum rc delete_project(struct ctx *c, struct err *e)
{
    struct project p;
    enum rc rc = project_of(c, ROLE_MANAGER, &p, e);

    if (!rc)
        rc = project_delete(c->app->db, p.id, e);
    if (!rc)
        http_reply(c->req, 204, "application/json", STR_NONE);
    return rc;
}

static enum rc get_members(struct ctx *c, struct err *e)
{
    struct project p;
    struct buf b;
    struct jw w;
    enum rc rc = project_of(c, ROLE_VIEWER, &p, e);

    if (rc)
        return rc;
    reply_list_begin(&b, &w, "members");
    return reply_list_end(c, project_members(c->app->db, p.id, write_member, &w, e), &b, &w, e);
}

static enum rc post_member(struct ctx *c, struct err *e)
{
    const struct member_body *b = c->body;
    struct project p;
    enum rc rc = project_of(c, ROLE_MANAGER, &p, e);

    if (!rc)
        rc = project_member_set(c->app->db, p.id, b->email, str_of(member_role_names[b->role]), e);
    return rc ? rc : get_members(c, e);
}

static enum rc delete_member(struct ctx *c, struct err *e)
{
    struct project p;
    enum rc rc = project_of(c, ROLE_MANAGER, &p, e);

    if (!rc)
        rc = project_member_remove(c->app->db, p.id, c->param[1], e);
    if (!rc)
        http_reply(c->req, 204, "application/json", STR_NONE);
    return rc;
}

#define BODY(f, s) .body = f, .body_size = sizeof(struct s)
extern const struct route project_routes[];
const struct route project_routes[] = {
    {HTTP_GET, "/projects", ACCESS_VIEWER, "projects:read", .tag = "Projects",
     .summary = "The caller's projects; all of them for managers.", .fn = get_projects},
    {HTTP_POST, "/projects", ACCESS_ENGINEER, "projects:write",
     BODY(project_body_fields, project_body), .reply = project_fields, .tag = "Projects",
     .summary = "Make a project; the caller is its owner.", .fn = post_project},
    {HTTP_GET, "/projects/{id}", ACCESS_VIEWER, "projects:read", .reply = project_fields,
     .tag = "Projects", .summary = "A project by id or name.", .fn = get_project},
    {HTTP_PUT, "/projects/{id}", ACCESS_ENGINEER, "projects:write",
     BODY(project_body_fields, project_body), .reply = project_fields, .tag = "Projects",
     .summary = "Change name and description.", .fn = put_project},
    {HTTP_DELETE, "/projects/{id}", ACCESS_ENGINEER, "projects:write", .tag = "Projects",
     .summary = "Delete an empty project.", .fn = delete_project},
    {HTTP_GET, "/projects/{id}/members", ACCESS_VIEWER, "projects:read", .tag = "Projects",
     .summary = "Who belongs to it.", .fn = get_members},
    {HTTP_POST, "/projects/{id}/members", ACCESS_ENGINEER, "projects:write",
     BODY(member_body_fields, member_body), .tag = "Projects",
     .summary = "Add a member, or change a member's role.", .fn = post_member},
    {HTTP_DELETE, "/projects/{id}/members/{user}", ACCESS_ENGINEER, "projects:write",
     .tag = "Projects", .summary = "Remove a member.", .fn = delete_member},
    ROUTE_END};
