#include "stream_file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { ROW = 32, LINE = 4096, MOST_INSTRUCTIONS = 1 << 16 };

/* ---- writing ------------------------------------------------------------------------
 */

static void write_bytes(FILE *out, const char *name, const uint8_t *data,
                        uint64_t bytes) {
  (void)fprintf(out, "%s %" PRIu64 "\n", name, bytes);
  for (uint64_t at = 0; at < bytes; at += ROW) {
    const uint64_t length = bytes - at < ROW ? bytes - at : ROW;
    int zero = 1;
    for (uint64_t i = 0; i < length; i++) zero &= data[at + i] == 0;
    if (zero) continue;
    (void)fprintf(out, "%" PRIu64 " ", at);
    for (uint64_t i = 0; i < length; i++) (void)fprintf(out, "%02x", data[at + i]);
    (void)fputc('\n', out);
  }
}

void stream_write(FILE *out, const stream *s, const stream_place *place,
                  const char *about) {
  const systole_geometry *g = &s->geometry;
  while (*about != 0) {
    const size_t length = strcspn(about, "\n");
    (void)fprintf(out, "# %.*s\n", (int)length, about);
    about += length + (about[length] == '\n');
  }
  (void)fprintf(out,
                "device %s\nmemory %s\nstalls %" PRIu64
                "\ngeometry dim=%d axi=%d ub=%u acc=%u tiles=%u features=%u\nseed "
                "%" PRIu64 "\nprogram\n",
                place->device, place->memory, place->stall_seed, g->dim, g->axi_bytes,
                g->ub_rows, g->acc_rows, g->weight_tiles, g->features, s->seed);
  for (uint32_t n = 0; n < s->count; n++) {
    char text[512];
    systole_instruction_print(text, sizeof text, &s->at[n]);
    (void)fprintf(out, "%s\n", text);
  }
  write_bytes(out, "activations", s->activations, s->activation_bytes);
  write_bytes(out, "weights", s->weights, s->weight_bytes);
  (void)fputs("end\n", out);
}

/* ---- reading ------------------------------------------------------------------------
 */

typedef struct reader {
  FILE *in;
  char line[LINE];
  int number;
  char *story;
  size_t story_bytes;
} reader;

static int refuse(reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int refuse(reader *r, const char *format, ...) {
  va_list list;
  const int used = snprintf(r->story, r->story_bytes, "line %d: ", r->number);
  va_start(list, format);
  (void)vsnprintf(r->story + used, r->story_bytes - (size_t)used, format, list);
  va_end(list);
  return -1;
}

/* The next line that is no comment; "" at the end of the file. */
static const char *next(reader *r) {
  do {
    r->line[0] = 0;
    r->number++;
  } while (fgets(r->line, sizeof r->line, r->in) && r->line[0] == '#');
  return r->line;
}

static int read_head(stream *s, stream_place *place, reader *r) {
  systole_geometry *g = &s->geometry;
  *g = (systole_geometry){.weight_ports = 1, .flat_array = 1};
  if (sscanf(next(r), "device %47s", place->device) != 1) {
    return refuse(r, "\"device NAME\" is missing");
  }
  if (sscanf(next(r), "memory %15s", place->memory) != 1) {
    return refuse(r, "\"memory PRESET\" is missing");
  }
  if (sscanf(next(r), "stalls %" SCNu64, &place->stall_seed) != 1) {
    return refuse(r, "\"stalls SEED\" is missing");
  }
  if (sscanf(next(r), "geometry dim=%d axi=%d ub=%u acc=%u tiles=%u features=%u", &g->dim,
             &g->axi_bytes, &g->ub_rows, &g->acc_rows, &g->weight_tiles,
             &g->features) != 6 ||
      g->dim < 2 || g->dim > 256) {
    return refuse(r, "\"geometry dim=16 axi=16 ...\" is missing");
  }
  if (sscanf(next(r), "seed %" SCNu64, &s->seed) != 1) {
    return refuse(r, "\"seed N\" is missing");
  }
  if (strcmp(next(r), "program\n") != 0) return refuse(r, "\"program\" is missing");
  return 0;
}

static int read_program(stream *s, reader *r) {
  uint32_t room = 0;
  do {
    if (s->count == MOST_INSTRUCTIONS) return refuse(r, "the program has no END");
    if (s->count == room) {
      room = room * 2 + 64;
      systole_instruction *more = realloc(s->at, room * sizeof *more);
      if (more == NULL) return refuse(r, "there is no memory for the program");
      s->at = more;
    }
    if (systole_instruction_parse(&s->at[s->count], next(r)) != SYSTOLE_OK) {
      return refuse(r, "%s", systole_last_error());
    }
  } while (SYSTOLE_GET(&s->at[s->count++], OPCODE) != SYSTOLE_OP_END);
  return 0;
}

/* "NAME BYTES", then rows; ends at the line that is no row, which stays in r->line. */
static int read_bytes(uint8_t **data, uint64_t *bytes, const char *name, reader *r) {
  char word[16];
  const uint64_t most = UINT64_C(1) << 32;
  if (sscanf(r->line, "%15s %" SCNu64, word, bytes) != 2 || strcmp(word, name) != 0 ||
      *bytes == 0 || *bytes > most) {
    return refuse(r, "\"%s BYTES\" is missing", name);
  }
  *data = calloc((size_t)*bytes, 1);
  if (*data == NULL) return refuse(r, "there is no memory for %" PRIu64 " bytes", *bytes);
  for (;;) {
    char *hex = NULL;
    const char *line = next(r);
    if (*line < '0' || *line > '9') return 0;
    uint64_t at = strtoull(line, &hex, 10);
    for (hex += *hex == ' '; *hex != '\n' && *hex != 0; hex += 2, at++) {
      unsigned value;
      if (at >= *bytes || sscanf(hex, "%2x", &value) != 1 || hex[1] == '\n') {
        return refuse(r, "a row is \"OFFSET HEX\", with offsets below %" PRIu64, *bytes);
      }
      (*data)[at] = (uint8_t)value;
    }
  }
}

int stream_read(stream *s, stream_place *place, FILE *in, char *story,
                size_t story_bytes) {
  reader r = {.in = in, .story = story, .story_bytes = story_bytes};
  *s = (stream){.seed = 0};
  int result = read_head(s, place, &r);
  if (!result) result = read_program(s, &r);
  if (!result) {
    (void)next(&r);
    result = read_bytes(&s->activations, &s->activation_bytes, "activations", &r);
  }
  if (!result) result = read_bytes(&s->weights, &s->weight_bytes, "weights", &r);
  if (!result && strcmp(r.line, "end\n") != 0) result = refuse(&r, "\"end\" is missing");
  if (result) {
    stream_free(s);
    *s = (stream){.seed = 0};
  }
  return result;
}
