/* config_test.c - precedence, errors that name their source, secrets. */
#include "spec/config.c"

#include "base/test.h"

static struct err err;

static struct config *load(const char *const *flags, size_t n, char *const *env)
{
    struct config *c = NULL;

    CHECK_OK(config_load(&c, flags, n, NULL, env, &err), &err);
    return c;
}

TEST(flag_beats_environment_beats_file_beats_default)
{
    char data[600], file[700];
    const char *flags[] = {data, "workers=3"};
    char *env[] = {(char *)"ANNEAL_WORKERS=4", (char *)"BUCKET_NAME=from-env", NULL};
    struct config *c;

    snprintf(data, sizeof data, "data=%s", test_dir());
    snprintf(file, sizeof file, "%s/anneal.conf", test_dir());
    CHECK_OK(os_write_file_durable(
                 file, STR("# comment\nworkers = 5\nbucket_name = from-file\n\njob_retries=9\n"),
                 0600, &err),
             &err);
    c = load(flags, 2, env);
    CHECK_EQ(config_int(c, "workers"), 3);
    CHECK(!strcmp(config_source(c, "workers"), "flag"));
    CHECK(!strcmp(config_str(c, "bucket_name"), "from-env"));
    CHECK(!strcmp(config_source(c, "bucket_name"), "environment BUCKET_NAME"));
    CHECK_EQ(config_int(c, "job_retries"), 9);
    CHECK(str_ends(str_of(config_source(c, "job_retries")), STR("anneal.conf:5")));
    CHECK(!strcmp(config_source(c, "listen"), "default"));
    CHECK(str_starts(str_of(config_str(c, "database_url")), STR("sqlite:/")));
    CHECK(str_ends(str_of(config_str(c, "database_url")), STR("/anneal.db")));
    config_free(c);
}

static void refused(const char *flag, const char *needle)
{
    struct config *c = NULL;
    const char *flags[] = {"data=/nonexistent", flag};

    CHECK(config_load(&c, flags, 2, NULL, NULL, &err) == RC_INVALID);
    if (str_find(str_of(err.text), str_of(needle)) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", flag, err.text);
}

TEST(bad_values_name_setting_and_source)
{
    refused("workers=many", "flag: workers must be a whole number");
    refused("workers=0", "between 1 and 256");
    refused("listen=8000", "HOST:PORT");
    refused("listen=127.0.0.1:99999", "HOST:PORT");
    refused("upload_bytes_max=lots", "size such as");
    refused("training_mode=magic", "cannot be 'magic'");
    refused("registration=perhaps", "true or false");
    refused("nonsense=1", "no setting");
}

TEST(an_unknown_line_of_the_file_is_named_by_number)
{
    char data[600], file[700];
    const char *flags[] = {data};
    struct config *c = NULL;

    snprintf(data, sizeof data, "data=%s", test_dir());
    snprintf(file, sizeof file, "%s/anneal.conf", test_dir());
    CHECK_OK(os_write_file_durable(file, STR("workers = 5\nwrokers = 6\n"), 0600, &err), &err);
    CHECK(config_load(&c, flags, 1, NULL, NULL, &err) == RC_INVALID);
    CHECK(str_find(str_of(err.text), STR("anneal.conf:2")) >= 0);
}

TEST(service_urls_go_by_framework)
{
    const char *flags[] = {"data=/nonexistent", "trainer_service_url=http://n",
                           "timm_service_url=http://t"};
    struct config *c = load(flags, 3, NULL);

    CHECK(!strcmp(config_service_url(c, STR("anneal")), "http://n"));
    CHECK(!strcmp(config_service_url(c, STR("timm")), "http://t"));
    CHECK(!config_service_url(c, STR("ultralytics")));
    CHECK(!config_service_url(c, STR("trainer")));
    CHECK(!config_service_url(c, STR("unknown")));
    config_free(c);
}

TEST(every_row_is_documented_and_its_default_is_valid)
{
    for (const struct config_row *r = config_rows; r->name; r++) {
        CHECK(r->help && r->group && r->env);
        CHECK_OK(check(r, str_of(r->dflt), "default", &err), &err);
    }
}
