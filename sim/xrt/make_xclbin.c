/* systole_xclbin: writes an .xclbin for the simulated card. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"
#include "xclbin_write.h"

typedef struct request {
  systole_xclbin_plan plan;
  const char *card, *link, *out;
} request;

static const struct argp_option options[] = {
    {"dim", 'd', "N", 0, "Size of the array, 2 to 256, a power of two (default 16)", 0},
    {"readable", 'r', NULL, 0, "The array with a module for each PE", 0},
    {"axi-bytes", 'a', "N", 0, "Width of the memory ports (default: the RTL's)", 0},
    {"memory", 'm', "PRESET", 0, "Timing of the memory (default ideal)", 0},
    {"clock-mhz", 'k', "F", 0, "Clock that is assumed (default 300)", 0},
    {"card", 'c', "NAME", 0,
     "Card whose memory is simulated: u50, u200, u250 (default), "
     "u280, u55c",
     0},
    {"link", 'l', "FILE", 0, "Units and their banks, as v++ --config has them", 0},
    {"out", 'o', "FILE", 0, "File to write", 0},
    {0}};

static int whole(const char *text, int *out) {
  char *end = NULL;
  const long value = strtol(text, &end, 10);
  *out = (int)value;
  return *text >= '0' && *text <= '9' && *end == '\0' && value <= 1 << 20;
}

static error_t parse(int key, char *text, struct argp_state *state) {
  request *r = state->input;
  char *end = NULL;
  switch (key) {
    case 'd':
      if (!whole(text, &r->plan.image.dim) || r->plan.image.dim < 2 ||
          r->plan.image.dim > 256 || (r->plan.image.dim & (r->plan.image.dim - 1)) != 0) {
        argp_error(state, "--dim %s: it is a power of two from 2 to 256", text);
      }
      return 0;
    case 'r':
      r->plan.image.readable = 1;
      return 0;
    case 'a':
      if (!whole(text, &r->plan.axi_bytes) || r->plan.axi_bytes < 4 ||
          r->plan.axi_bytes > 64 || (r->plan.axi_bytes & (r->plan.axi_bytes - 1)) != 0) {
        argp_error(state, "--axi-bytes %s: it is 4, 8, 16, 32 or 64", text);
      }
      return 0;
    case 'm':
      if (strlen(text) == 0 || strlen(text) >= sizeof r->plan.image.memory ||
          strpbrk(text, " \t\n")) {
        argp_error(state, "--memory '%s': that is no name of a preset", text);
      }
      (void)snprintf(r->plan.image.memory, sizeof r->plan.image.memory, "%s", text);
      return 0;
    case 'k':
      r->plan.image.clock_mhz = strtod(text, &end);
      if (*end || !(r->plan.image.clock_mhz >= 1 && r->plan.image.clock_mhz <= 2000)) {
        argp_error(state, "--clock-mhz %s: it is 1 to 2000", text);
      }
      return 0;
    case 'c':
      r->card = text;
      r->plan.card = systole_sim_card_find(text);
      if (!r->plan.card) argp_error(state, "--card %s: there is no such card", text);
      return 0;
    case 'l':
      r->link = text;
      return 0;
    case 'o':
      r->out = text;
      return 0;
    case ARGP_KEY_END:
      if (!r->out) argp_error(state, "--out FILE is missing");
      return 0;
    default:
      return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Writes an .xclbin for the simulated card. Exit codes: 0 good, 2 bad usage, a "
        "file that cannot be read or written included."};

/* A whole text file; NULL with errno set. Freed by the caller. */
static char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  char *text = NULL;
  size_t used = 0, got = 1;
  while (file && got > 0 && used < 1 << 20) {
    char *more = realloc(text, used + 4097);
    if (!more) break;
    text = more;
    got = fread(text + used, 1, 4096, file);
    used += got;
    text[used] = '\0';
  }
  if (file) (void)fclose(file);
  return text;
}

static int save(const char *path, const uint8_t *data, uint64_t bytes) {
  FILE *file = fopen(path, "wb");
  if (!file) return -1;
  const int whole_file = fwrite(data, 1, (size_t)bytes, file) == bytes;
  return fclose(file) == 0 && whole_file ? 0 : -1;
}

int main(int argc, char **argv) {
  request r;
  uint8_t *data = NULL;
  uint64_t bytes = 0;
  char *link = NULL;
  int code = 2;
  memset(&r, 0, sizeof r);
  r.plan.image = (systole_xclbin_image){16, 0, "ideal", 300.0};
  r.plan.card = systole_sim_card_find("u250");
  argp_err_exit_status = 2;
  (void)argp_parse(&parser, argc, argv, 0, NULL, &r);
  if (!r.plan.axi_bytes) {
    /* As the top module's default. */
    const int dim = r.plan.image.dim;
    r.plan.axi_bytes = dim <= 4 ? 4 : dim >= 64 ? 64 : dim;
  }
  if (r.link && !(link = read_text(r.link))) {
    (void)fprintf(stderr, "systole_xclbin: cannot read %s: %s\n", r.link,
                  strerror(errno));
  } else {
    r.plan.link = link;
    if (systole_xclbin_make(&data, &bytes, &r.plan) != SYSTOLE_OK) {
      (void)fprintf(stderr, "systole_xclbin: %s\n", systole_last_error());
    } else if (save(r.out, data, bytes) != 0) {
      (void)fprintf(stderr, "systole_xclbin: cannot write %s: %s\n", r.out,
                    strerror(errno));
    } else {
      code = 0;
    }
  }
  free(data);
  free(link);
  return code;
}
