/* settings.c - what the program was told, and by whom: the settings as `anneal config` shows them.
 */
#include "api/app.h"
#include "spec/config.h"

static enum rc get_settings(struct ctx *c, struct err *e)
{
    static const char *const types[] = {"text",  "whole number", "bool",
                                        "bytes", "choice",       "address"};
    const struct config *config = c->app->config;
    struct buf b;
    struct jw w;

    reply_begin(&b, &w);
    jw_obj(&w);
    jw_karr(&w, "settings");
    for (const struct config_row *r = config_rows; r->name; r++) {
        const char *value = config_str(config, r->name);
        jw_obj(&w);
        jw_kcstr(&w, "name", r->name);
        jw_kcstr(&w, "group", r->group);
        jw_kcstr(&w, "type", types[r->type]);
        jw_kcstr(&w, "value", r->secret && *value ? "*****" : value);
        jw_kcstr(&w, "default", r->dflt);
        jw_kcstr(&w, "source", config_source(config, r->name));
        jw_kcstr(&w, "environment", r->env);
        jw_kcstr(&w, "help", r->help);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    jw_obj_end(&w);
    return reply_json(c, 200, &b, e);
}

extern const struct route settings_routes[];
const struct route settings_routes[] = {
    {HTTP_GET, "/settings", ACCESS_ADMIN, "users:read", .tag = "System",
     .summary = "Every setting of the program, with where its value came from.",
     .help = "{settings: [{name, group, type, value, default, source, environment, help}]}; "
             "secrets are *****.  They are changed by flag, environment or file, and a restart.",
     .fn = get_settings},
    ROUTE_END};
