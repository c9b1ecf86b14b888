#include "pairs.h"

#include <inttypes.h>
#include <string.h>

#include "card/card.h"
#include "library/device.h"
#include "support/error.h"

static const systole_card_ops *find_card(const char *scheme) {
  size_t count;
  const systole_card_ops *const *rows = systole_card_rows(&count);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(rows[i]->scheme, scheme) == 0) return rows[i];
  }
  return NULL;
}

systole_status pairs_open(pairs *p, int dim, const char *const *schemes, int count,
                          const char *memory) {
  static const char *const dims[] = {"2", "4", "8", "16", "32", "64", "128", "256"};
  memset(p, 0, sizeof *p);
  const char *what = NULL;
  for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
    if (dim == 2 << i) what = dims[i];
  }
  if (what == NULL) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "there is no such array; sizes are powers of two, 2 to 256");
  }
  p->rtl =
      (trial_bench){&systole_card_rtl, what, memory, 0, NULL, systole_card_rtl_model};
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.memory = memory;
  systole_status status =
      systole_device_open_card(&p->rtl_device, p->rtl.ops, what, &options);
  if (!status) status = systole_device_geometry(p->rtl_device, &p->geometry);
  if (status) return status;
  p->rtl.interpreter = trial_interpreter(&p->geometry);
  if (p->rtl.interpreter == NULL) return SYSTOLE_ERR_INTERNAL;
  for (int i = 0; i < count && p->count < PAIRS_CARDS; i++) {
    const systole_card_ops *ops = find_card(schemes[i]);
    if (ops == NULL) continue;
    const systole_geometry *g = &p->geometry;
    char *name = p->names[p->count];
    (void)snprintf(name, sizeof p->names[0], "%d,ub=%u,acc=%u,tiles=%u,axi=%d", g->dim,
                   g->ub_rows, g->acc_rows, g->weight_tiles, g->axi_bytes);
    p->cards[p->count] = (trial_bench){ops, name, memory, 0, p->rtl.interpreter, NULL};
    status = systole_device_open_card(&p->devices[p->count], ops, name, &options);
    if (status == SYSTOLE_ERR_NOT_FOUND && p->count > 0) continue; /* not built */
    if (status) return status;
    p->count++;
  }
  return SYSTOLE_OK;
}

void pairs_close(pairs *p) {
  for (int i = 0; i < p->count; i++) systole_device_close(p->devices[i]);
  systole_device_close(p->rtl_device);
  systole_device_close(p->rtl.interpreter);
}

int pairs_run(pairs *p, const stream *s, int *same, FILE *out, char *story,
              size_t story_bytes) {
  trial_verdict rtl;
  *same = 1;
  trial_run(&rtl, s, &p->rtl, p->rtl_device);
  if (rtl.kind != TRIAL_GOOD) {
    (void)snprintf(story, story_bytes, "rtl:%s: %s: %s", p->rtl.what,
                   trial_kind_name(rtl.kind), rtl.story);
    return -1;
  }
  for (int i = 0; i < p->count; i++) {
    trial_verdict card;
    trial_run(&card, s, &p->cards[i], p->devices[i]);
    if (card.kind != TRIAL_GOOD) {
      (void)snprintf(story, story_bytes, "%s:%s: %s: %s", p->cards[i].ops->scheme,
                     p->cards[i].what, trial_kind_name(card.kind), card.story);
      return -1;
    }
    if (distance_add(&p->apart[i], &card.stats, &rtl.stats, s->seed)) continue;
    *same = 0;
    if (out == NULL) continue;
    (void)fprintf(out, "%s:%d, %s, seed %" PRIu64 ":\n", p->cards[i].ops->scheme,
                  p->geometry.dim, p->rtl.memory, s->seed);
    distance_print_ledgers(out, &card.stats, &rtl.stats);
  }
  return 0;
}
