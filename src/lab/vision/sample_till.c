/* sample_till.c - see sample_till.h.  Invented shops; prices add up, so that what is read from a
 * receipt can be checked. */
#include "lab/vision/sample_till.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const first[] = {"GREEN", "CORNER", "HARBOUR", "SUNNY",  "OLD TOWN", "MAPLE",
                                    "NORTH", "RIVER",  "LITTLE",  "GOLDEN", "STATION",  "BLUE"};
static const char *const second[] = {"MARKET", "BAKERY", "GROCERY", "CAFE",  "PANTRY",
                                     "DELI",   "KIOSK",  "KITCHEN", "STORE", "BOOKS"};
static const char *const streets[] = {"Mill Lane",   "High Street",  "Station Road",
                                      "Park Avenue", "Quay Street",  "Church Road",
                                      "Elm Street",  "Market Square"};
static const char *const towns[] = {"Ashford", "Kingsbridge", "Norwell",   "Easton",
                                    "Lindow",  "Marston",     "Westbrook", "Harwick"};
static const struct {
    const char *name;
    int cents;
} goods[] = {{"Oat milk 1L", 219},       {"Sourdough bread", 385}, {"Butter 250g", 299},
             {"Free range eggs 6", 275}, {"Cheddar mature", 449},  {"Bananas", 168},
             {"Tomatoes 500g", 195},     {"Espresso", 210},        {"Flat white", 340},
             {"Blueberry muffin", 295},  {"Olive oil 0.5L", 749},  {"Spaghetti 500g", 119},
             {"Dark chocolate", 199},    {"Green tea 20", 265},    {"Apple juice", 189},
             {"Sparkling water", 89},    {"Yoghurt plain", 135},   {"Honey 350g", 520},
             {"Crisps sea salt", 159},   {"Notebook A5", 450},     {"Pencil HB", 75},
             {"Granola 400g", 365},      {"Basil pot", 149},       {"Salmon fillet", 899},
             {"Rice 1kg", 239},          {"Soap bar", 180},        {"Postcard", 95},
             {"Carrot cake slice", 420}, {"Lemonade 0.3L", 260},   {"Batteries AA 4", 599}};
static const char *const thanks[] = {"THANK YOU FOR YOUR VISIT", "PLEASE COME AGAIN",
                                     "HAVE A NICE DAY!", "KEEP THIS RECEIPT"};

#define PICK(r, list) ((list)[rng_int(r, (int)(sizeof(list) / sizeof *(list)))])

static struct till_line *add(struct till *t, enum till_place place)
{
    struct till_line *l = &t->line[t->n < TILL_LINES_MAX - 1 ? t->n++ : t->n];

    memset(l, 0, sizeof *l);
    l->place = place;
    return l;
}

static struct till_line *centre(struct till *t, const char *fmt, ...) printf_like(2, 3);
static struct till_line *centre(struct till *t, const char *fmt, ...)
{
    struct till_line *l = add(t, TILL_CENTRE);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(l->left, sizeof l->left, fmt, ap);
    va_end(ap);
    return l;
}

static struct till_line *money(struct till *t, const char *what, int cents)
{
    struct till_line *l = add(t, TILL_SPREAD);

    snprintf(l->left, sizeof l->left, "%s", what);
    snprintf(l->right, sizeof l->right, "%s%d.%02d", cents < 0 ? "-" : "",
             (cents < 0 ? -cents : cents) / 100, (cents < 0 ? -cents : cents) % 100);
    return l;
}

static void head(struct till *t, struct rng *r)
{
    struct till_line *name = centre(t, "%s %s", PICK(r, first), PICK(r, second));

    name->big = name->bold = true;
    centre(t, "%d %s", 1 + rng_int(r, 240), PICK(r, streets));
    centre(t, "%s", PICK(r, towns));
    if (rng_unit(r) < 0.7)
        centre(t, "Tel. 0%03d %06d", rng_int(r, 1000), rng_int(r, 1000000));
    add(t, TILL_GAP);
    centre(t, "%02d/%02d/20%02d %02d:%02d", 1 + rng_int(r, 28), 1 + rng_int(r, 12),
           20 + rng_int(r, 7), 7 + rng_int(r, 14), rng_int(r, 60));
    centre(t, "Receipt %06d  Till %d", rng_int(r, 1000000), 1 + rng_int(r, 9));
    add(t, TILL_RULE);
}

static int items(struct till *t, struct rng *r)
{
    int n = 2 + rng_int(r, 10), sum = 0;

    for (int i = 0; i < n; i++) {
        size_t g = (size_t)rng_int(r, (int)(sizeof goods / sizeof *goods));
        int many = rng_unit(r) < 0.25 ? 2 + rng_int(r, 3) : 1;
        int each = goods[g].cents + rng_int(r, 5) * 10;
        char what[TILL_TEXT_MAX];

        if (many > 1)
            snprintf(what, sizeof what, "%d x %s", many, goods[g].name);
        else
            snprintf(what, sizeof what, "%s", goods[g].name);
        money(t, what, many * each);
        sum += many * each;
    }
    if (rng_unit(r) < 0.2) {
        int off = sum / 10;

        money(t, "Discount 10%", -off);
        sum -= off;
    }
    return sum;
}

static void foot(struct till *t, struct rng *r, int sum)
{
    static const int rates[] = {5, 7, 10, 19, 20};
    int rate = PICK(r, rates), tax = sum * rate / (100 + rate);
    struct till_line *total;
    char what[TILL_TEXT_MAX];

    add(t, TILL_RULE);
    total = money(t, "TOTAL", sum);
    total->bold = true;
    total->big = rng_unit(r) < 0.6;
    snprintf(what, sizeof what, "incl. VAT %d%%", rate);
    money(t, what, tax);
    if (rng_unit(r) < 0.5) {
        int given = (sum / 500 + 1) * 500;

        money(t, "Cash", given);
        money(t, "Change", given - sum);
    } else {
        money(t, rng_unit(r) < 0.5 ? "Card" : "Contactless", sum);
        centre(t, "**** **** **** %04d", rng_int(r, 10000));
    }
    add(t, TILL_RULE);
    centre(t, "%s", PICK(r, thanks));
    if (rng_unit(r) < 0.6) {
        add(t, TILL_GAP);
        add(t, TILL_BARS);
        centre(t, "%04d %04d %04d", rng_int(r, 10000), rng_int(r, 10000), rng_int(r, 10000));
    }
}

void till_write(struct till *t, struct rng *r)
{
    t->n = 0;
    head(t, r);
    foot(t, r, items(t, r));
}
