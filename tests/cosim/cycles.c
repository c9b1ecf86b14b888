/* Cycles of the fast cards beside the RTL's, for as many programs as one likes.
 *
 *   cycles --dim 16 --count 1000                 random products, see --help
 *   cycles --dim 16 --kind streams --verbose
 *
 * Exit: 0 good, 1 a result or (--exact) a cycle is wrong, 2 bad usage, 3 a card is not
 * here. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gemms.h"
#include "pairs.h"
#include "shapes.h"

typedef struct request {
  const char *kind, *memory;
  uint64_t dim, first, count;
  int exact, verbose;
} request;

enum { KEY_FIRST = 1000, KEY_COUNT, KEY_EXACT };

static const struct argp_option options[] = {
    {"dim", 'd', "N", 0, "Size of the array (default 16)", 1},
    {"kind", 'k', "KIND", 0,
     "gemms (default): random products; shapes: the tests' table; streams: random "
     "instructions",
     1},
    {"memory", 'm', "PRESET", 0, "ideal (default), ddr4, hbm2", 1},
    {"first", KEY_FIRST, "SEED", 0, "First seed (default 1)", 2},
    {"count", KEY_COUNT, "N", 0, "Number of seeds (default 1000)", 2},
    {"exact", KEY_EXACT, NULL, 0, "Exit 1 when a cycle or a counter differs", 3},
    {"verbose", 'v', NULL, 0, "Show each run that differs", 3},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
  request *r = state->input;
  uint64_t *number = NULL;
  char *end = NULL;
  switch (key) {
    case 'd':
      number = &r->dim;
      break;
    case KEY_FIRST:
      number = &r->first;
      break;
    case KEY_COUNT:
      number = &r->count;
      break;
    case 'k':
      r->kind = text;
      break;
    case 'm':
      r->memory = text;
      break;
    case KEY_EXACT:
      r->exact = 1;
      break;
    case 'v':
      r->verbose = 1;
      break;
    case ARGP_KEY_ARG:
      argp_error(state, "'%s' is not expected", text);
      break;
    case ARGP_KEY_END:
      if (strcmp(r->kind, "gemms") != 0 && strcmp(r->kind, "shapes") != 0 &&
          strcmp(r->kind, "streams") != 0) {
        argp_error(state, "'%s' is no kind; there are gemms, shapes and streams",
                   r->kind);
      }
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  if (number == NULL) return 0;
  errno = 0;
  *number = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != 0 || errno != 0) {
    argp_error(state, "'%s' is not a number", text);
  }
  return 0;
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Runs programs on simulated RTL and on the fast cards, compares results bit for "
        "bit, and sets cycles, ledgers and counters side by side."};

/* Program number `n` of the request; 0 when there are no more. */
static int make(stream *s, gemm_product *product, const request *r,
                const systole_geometry *g, uint64_t n) {
  const uint64_t seed = r->first + n;
  *product = (gemm_product){0};
  if (strcmp(r->kind, "streams") == 0) {
    if (n >= r->count) return 0;
    *s = stream_make(g, seed);
    return 1;
  }
  if (strcmp(r->kind, "shapes") == 0) {
    systole_shape shapes[SYSTOLE_MAX_SHAPES];
    const size_t count = systole_shapes(shapes, g->dim);
    const size_t at = (size_t)(n / 4);
    if (at >= count) return 0;
    product->m = shapes[at].m;
    product->n = shapes[at].n;
    product->k = shapes[at].k;
    product->int8_results = n % 4 / 2 != 0;
    product->bias = n % 2 != 0;
  } else {
    if (n >= r->count) return 0;
    *product = gemm_draw(g, seed);
  }
  s->at = NULL;
  if (product->m < 1 || product->n < 1 || product->k < 1) return 1;
  *s = gemm_stream(g, product, r->memory, seed);
  return 1;
}

int main(int argc, char **argv) {
  static const char *const cards[] = {"model", "systemc"};
  request r = {.kind = "gemms", .memory = "ideal", .dim = 16, .first = 1, .count = 1000};
  pairs p;
  int result = 0, differs = 0;
  argp_err_exit_status = 2;
  if (argp_parse(&parser, argc, argv, 0, NULL, &r) != 0) return 2;
  const systole_status opened = pairs_open(&p, (int)r.dim, cards, 2, r.memory);
  if (opened) {
    (void)fprintf(stderr, "cycles: rtl:%" PRIu64 ": %s\n", r.dim, systole_last_error());
    return opened == SYSTOLE_ERR_ARGUMENT ? 2 : 3;
  }
  stream s;
  gemm_product product;
  for (uint64_t n = 0; result == 0 && make(&s, &product, &r, &p.geometry, n); n++) {
    char story[1024];
    int same = 1;
    if (s.at == NULL) continue;
    if (pairs_run(&p, &s, &same, r.verbose ? stdout : NULL, story, sizeof story) != 0) {
      (void)printf("WRONG seed %" PRIu64 ": %s\n", s.seed, story);
      result = 1;
    }
    if (!same && r.verbose && product.m > 0) {
      (void)printf("  %" PRId64 " x %" PRId64 " x %" PRId64 "%s%s%s, %u instructions\n",
                   product.m, product.n, product.k, product.int8_results ? ", int8" : "",
                   product.bias ? ", bias" : "", product.choice ? ", another plan" : "",
                   s.count);
    }
    differs |= !same;
    stream_free(&s);
  }
  for (int i = 0; i < p.count; i++) {
    char what[160];
    (void)snprintf(what, sizeof what, "%s:%s, %s", p.cards[i].ops->scheme,
                   p.cards[i].what, p.rtl.memory);
    distance_print(stdout, &p.apart[i], what);
  }
  pairs_close(&p);
  return result != 0 || (r.exact && differs);
}
