/* strtok_r is POSIX. */
#define _POSIX_C_SOURCE 200809L
#include "xclbin_write.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_kernel.h"
#include "support/error.h"
#include "support/sha256.h"

enum { kUnits = 16, kRanges = 64, kSections = 9 };

#define SYSTOLE_COUNT_PORT(identifier, name) +1
enum { kPorts = 0 SYSTOLE_KERNEL_PORTS(SYSTOLE_COUNT_PORT) };
#undef SYSTOLE_COUNT_PORT

#define SYSTOLE_PORT_NAME(identifier, name) name,
static const char *const kPortNames[] = {SYSTOLE_KERNEL_PORTS(SYSTOLE_PORT_NAME)};
#undef SYSTOLE_PORT_NAME

typedef struct argument {
  const char *name, *port;
  int id, offset, bytes, pointer;
} argument;

#define SYSTOLE_ARGUMENT(identifier, id, offset, bytes, pointer, port) \
  {#identifier, port, id, offset, bytes, pointer},
static const argument kArguments[] = {SYSTOLE_KERNEL_ARGUMENTS(SYSTOLE_ARGUMENT)};
#undef SYSTOLE_ARGUMENT

/* ---- bytes that grow -----------------------------------------------------------------
 */

typedef struct buffer {
  uint8_t *data;
  size_t used, room;
  int failed;
} buffer;

static void put(buffer *b, const void *data, size_t bytes) {
  if (b->failed) return;
  if (bytes > b->room - b->used) {
    const size_t room = 2 * (b->room + bytes);
    uint8_t *more = realloc(b->data, room);
    if (!more) {
      b->failed = 1;
      return;
    }
    b->data = more;
    b->room = room;
  }
  memcpy(b->data + b->used, data, bytes);
  b->used += bytes;
}

static void put_number(buffer *b, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) {
    const uint8_t byte = (uint8_t)(i < 8 ? value >> 8 * i : 0);
    put(b, &byte, 1);
  }
}

/* `text` in a field of `bytes` bytes, with zeros behind it. */
static void put_text(buffer *b, const char *text, size_t bytes) {
  const size_t length = strlen(text) < bytes ? strlen(text) : bytes - 1;
  put(b, text, length);
  for (size_t i = length; i < bytes; i++) put(b, "", 1);
}

static void print(buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void print(buffer *b, const char *format, ...) {
  char line[512];
  va_list list;
  va_start(list, format);
  const int length = vsnprintf(line, sizeof line, format, list);
  va_end(list);
  if (length < 0 || (size_t)length >= sizeof line) {
    b->failed = 1;
  } else {
    put(b, line, (size_t)length);
  }
}

static void poke(buffer *b, size_t at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes && !b->failed; i++) {
    b->data[at + (size_t)i] = (uint8_t)(value >> 8 * i);
  }
}

/* ---- the link ------------------------------------------------------------------------
 */

/* Banks `first` ... `last` of the card, counted over all its memories. */
typedef struct range {
  int first, last;
} range;

typedef struct layout {
  const systole_xclbin_plan *plan;
  int units;
  char unit[kUnits][32];
  range bank[kUnits][kPorts];
  int banks;             /* of the card */
  range groups[kRanges]; /* distinct ranges of more than one bank */
  int group_count;
} layout;

static int bank_count(const systole_sim_card *card) {
  int count = 0;
  for (int i = 0; i < card->memories; i++) count += card->memory[i].count;
  return count;
}

/* Bank `number` of the card. */
static systole_xclbin_bank bank_at(const systole_sim_card *card, int number) {
  systole_xclbin_bank bank;
  memset(&bank, 0, sizeof bank);
  for (int i = 0; i < card->memories; i++) {
    const systole_sim_memory *m = &card->memory[i];
    if (number < m->count) {
      (void)snprintf(bank.tag, sizeof bank.tag, "%s[%d]", m->name, number);
      bank.type = m->hbm ? SYSTOLE_XCLBIN_MEM_HBM : SYSTOLE_XCLBIN_MEM_DDR4;
      bank.base = m->base + (uint64_t)number * m->step;
      bank.bytes = m->bytes;
      break;
    }
    number -= m->count;
  }
  return bank;
}

/* "DDR[1]" or "HBM[0:3]". */
static int parse_banks(const systole_sim_card *card, const char *text, range *out) {
  int before = 0;
  for (int i = 0; i < card->memories; before += card->memory[i++].count) {
    const systole_sim_memory *m = &card->memory[i];
    const size_t length = strlen(m->name);
    int first = -1, last = -1, used = 0;
    if (strncmp(text, m->name, length) != 0) continue;
    text += length;
    if (sscanf(text, "[%d:%d]%n", &first, &last, &used) != 2 || text[used] != '\0') {
      if (sscanf(text, "[%d]%n", &first, &used) != 1 || text[used] != '\0') return 0;
      last = first;
    }
    *out = (range){before + first, before + last};
    return first >= 0 && first <= last && last < m->count;
  }
  return 0;
}

static systole_status parse_kernels(layout *l, const char *text) {
  char kernel[32] = "", names[512] = "";
  int count = 0;
  const int found = sscanf(text, "%31[^:]:%d:%511s", kernel, &count, names);
  if (found < 2 || strcmp(kernel, SYSTOLE_KERNEL_NAME) != 0 || count < 1 ||
      count > kUnits) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "nk=%s: expected %s:COUNT:NAME.NAME... with 1 to %d units", text,
                        SYSTOLE_KERNEL_NAME, kUnits);
  }
  l->units = 0;
  char *rest = NULL;
  for (char *name = strtok_r(names, ".", &rest); name;
       name = strtok_r(NULL, ".", &rest)) {
    if (l->units == count || strlen(name) >= sizeof l->unit[0]) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT, "nk=%s: not %d names", text, count);
    }
    (void)snprintf(l->unit[l->units++], sizeof l->unit[0], "%s", name);
  }
  if (found == 2) {
    for (; l->units < count; l->units++) {
      (void)snprintf(l->unit[l->units], sizeof l->unit[0], "%s_%d", SYSTOLE_KERNEL_NAME,
                     l->units + 1);
    }
  }
  return l->units == count
             ? SYSTOLE_OK
             : systole_fail(SYSTOLE_ERR_ARGUMENT, "nk=%s: not %d names", text, count);
}

static systole_status parse_port(layout *l, const char *text) {
  char unit[64] = "", port[64] = "", banks[64] = "";
  if (sscanf(text, "%63[^.].%63[^:]:%63s", unit, port, banks) == 3) {
    for (int u = 0; u < l->units; u++) {
      for (int p = 0; p < kPorts; p++) {
        if (strcmp(unit, l->unit[u]) != 0 || strcmp(port, kPortNames[p]) != 0) continue;
        if (parse_banks(l->plan->card, banks, &l->bank[u][p])) return SYSTOLE_OK;
        return systole_fail(SYSTOLE_ERR_ARGUMENT, "sp=%s: the card %s has no memory %s",
                            text, l->plan->card->name, banks);
      }
    }
  }
  return systole_fail(SYSTOLE_ERR_ARGUMENT,
                      "sp=%s: expected UNIT.PORT:BANK[i] with a unit that nk= names "
                      "before and a port of the kernel",
                      text);
}

static void note_group(layout *l, range r) {
  if (r.first == r.last) return;
  for (int i = 0; i < l->group_count; i++) {
    if (l->groups[i].first == r.first && l->groups[i].last == r.last) return;
  }
  l->groups[l->group_count++] = r;
}

static systole_status read_link(layout *l, const systole_xclbin_plan *plan) {
  const char *line = plan->link ? plan->link : plan->card->link;
  systole_status status = SYSTOLE_OK;
  memset(l, 0, sizeof *l);
  l->plan = plan;
  l->banks = bank_count(plan->card);
  l->units = 1;
  (void)snprintf(l->unit[0], sizeof l->unit[0], "%s_1", SYSTOLE_KERNEL_NAME);
  while (*line && status == SYSTOLE_OK) {
    char text[640];
    const size_t length = strcspn(line, "\n");
    size_t used = 0;
    for (size_t i = 0; i < length && line[i] != '#' && used + 1 < sizeof text; i++) {
      if (!isspace((unsigned char)line[i])) text[used++] = line[i];
    }
    text[used] = '\0';
    if (strncmp(text, "nk=", 3) == 0) status = parse_kernels(l, text + 3);
    if (strncmp(text, "sp=", 3) == 0) status = parse_port(l, text + 3);
    line += length + (line[length] == '\n');
  }
  for (int u = 0; u < l->units; u++) {
    for (int p = 0; p < kPorts; p++) note_group(l, l->bank[u][p]);
  }
  return status;
}

/* ---- sections ------------------------------------------------------------------------
 */

static uint64_t unit_address(int unit) {
  /* As the shells place kernels: from 20 MiB on, 64 KiB each. */
  return UINT64_C(0x1400000) + (uint64_t)unit * 0x10000;
}

static void write_metadata(buffer *b, const layout *l) {
  const systole_xclbin_image *image = &l->plan->image;
  print(b,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project name=\"systole_%d\">\n"
        "  <platform vendor=\"systole\" boardid=\"%s\" name=\"simulated\" "
        "featureRomTime=\"0\">\n    <version major=\"1\" minor=\"0\"/>\n",
        image->dim, l->plan->card->name);
  print(b,
        "    <device name=\"fpga0\" fpgaDevice=\"verilator\" addrWidth=\"0\">\n"
        "      <core name=\"OCL_REGION_0\" target=\"bitstream\" type=\"clc_region\" "
        "clockFreq=\"%gMHz\" numComputeUnits=\"%d\">\n        <kernelClocks>\n",
        image->clock_mhz, l->units);
  print(b,
        "          <clock port=\"KERNEL_CLK\" frequency=\"%gMHz\"/>\n"
        "          <clock port=\"DATA_CLK\" frequency=\"%gMHz\"/>\n"
        "        </kernelClocks>\n",
        image->clock_mhz, image->clock_mhz);
  print(b,
        "        <kernel name=\"%s\" language=\"ip_c\" "
        "vlnv=\"systole:kernel:%s:1.0\" attributes=\"\" "
        "preferredWorkGroupSizeMultiple=\"0\" workGroupSize=\"1\" interrupt=\"true\" "
        "hwControlProtocol=\"ap_ctrl_hs\" debug=\"false\">\n",
        SYSTOLE_KERNEL_NAME, SYSTOLE_KERNEL_NAME);
  print(b, "          <module name=\"%s\"/>\n", SYSTOLE_KERNEL_NAME);
  for (int p = 0; p < kPorts; p++) {
    print(b,
          "          <port name=\"%s\" mode=\"master\" range=\"0xFFFFFFFFFFFFFFFF\" "
          "dataWidth=\"%d\" portType=\"addressable\" base=\"0x0\"/>\n",
          kPortNames[p], 8 * l->plan->axi_bytes);
  }
  print(b,
        "          <port name=\"s_axi_control\" mode=\"slave\" range=\"0x%X\" "
        "dataWidth=\"32\" portType=\"addressable\" base=\"0x0\"/>\n",
        SYSTOLE_KERNEL_CONTROL_RANGE);
  for (size_t i = 0; i < sizeof kArguments / sizeof kArguments[0]; i++) {
    const argument *a = &kArguments[i];
    print(b,
          "          <arg name=\"%s\" addressQualifier=\"%d\" id=\"%d\" port=\"%s\" "
          "size=\"0x%X\" offset=\"0x%X\" hostOffset=\"0x0\" hostSize=\"0x%X\" "
          "type=\"%s\"/>\n",
          a->name, a->pointer, a->id, a->port, a->bytes, a->offset, a->bytes,
          a->pointer ? "void*" : "uint");
  }
  print(b,
        "          <compileWorkGroupSize x=\"1\" y=\"1\" z=\"1\"/>\n"
        "          <maxWorkGroupSize x=\"1\" y=\"1\" z=\"1\"/>\n");
  for (int u = 0; u < l->units; u++) {
    print(b,
          "          <instance name=\"%s\">\n            <addrRemap base=\"0x%llX\" "
          "port=\"s_axi_control\"/>\n          </instance>\n",
          l->unit[u], (unsigned long long)unit_address(u));
  }
  print(b,
        "        </kernel>\n      </core>\n    </device>\n  </platform>\n</project>\n");
}

static void write_bank(buffer *b, const systole_xclbin_bank *bank) {
  put_number(b, (uint64_t)bank->type, 1);
  put_number(b, (uint64_t)bank->used, 1);
  put_number(b, 0, 6);
  put_number(b, bank->bytes >> 10, 8);
  put_number(b, bank->base, 8);
  put_text(b, bank->tag, 16);
}

static int is_used(const layout *l, int bank) {
  for (int u = 0; u < l->units; u++) {
    for (int p = 0; p < kPorts; p++) {
      if (l->bank[u][p].first <= bank && bank <= l->bank[u][p].last) return 1;
    }
  }
  return 0;
}

static void write_banks(buffer *b, const layout *l, int groups) {
  put_number(b, (uint64_t)(l->banks + (groups ? l->group_count : 0)), 8);
  for (int i = 0; i < l->banks; i++) {
    systole_xclbin_bank bank = bank_at(l->plan->card, i);
    bank.used = is_used(l, i);
    write_bank(b, &bank);
  }
  for (int i = 0; groups && i < l->group_count; i++) {
    systole_xclbin_bank bank = bank_at(l->plan->card, l->groups[i].first);
    const systole_xclbin_bank last = bank_at(l->plan->card, l->groups[i].last);
    const char *digits = strchr(last.tag, '[') + 1;
    const size_t length = strlen(bank.tag);
    bank.used = 1;
    bank.bytes = last.base + last.bytes - bank.base;
    (void)snprintf(bank.tag + length - 1, sizeof bank.tag - length + 1, ":%s", digits);
    write_bank(b, &bank);
  }
}

static int port_of(const char *name) {
  for (int p = 0; p < kPorts; p++) {
    if (strcmp(kPortNames[p], name) == 0) return p;
  }
  return -1;
}

/* Connections of every pointer of every unit: to each bank, and with `groups` to the
 * group instead where there is one. */
static void write_connections(buffer *b, const layout *l, int groups) {
  const size_t at = b->used;
  uint64_t count = 0;
  put_number(b, 0, 4);
  for (int u = 0; u < l->units; u++) {
    for (size_t i = 0; i < sizeof kArguments / sizeof kArguments[0]; i++) {
      if (!kArguments[i].pointer) continue;
      const range r = l->bank[u][port_of(kArguments[i].port)];
      int first = r.first, last = r.last;
      for (int g = 0; groups && g < l->group_count; g++) {
        if (l->groups[g].first == r.first && l->groups[g].last == r.last) {
          first = last = l->banks + g;
        }
      }
      for (int bank = first; bank <= last; bank++, count++) {
        put_number(b, (uint64_t)kArguments[i].id, 4);
        put_number(b, (uint64_t)u, 4);
        put_number(b, (uint64_t)bank, 4);
      }
    }
  }
  poke(b, at, count, 4);
}

static void write_units(buffer *b, const layout *l) {
  put_number(b, (uint64_t)l->units, 8);
  for (int u = 0; u < l->units; u++) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s:%s", SYSTOLE_KERNEL_NAME, l->unit[u]);
    put_number(b, SYSTOLE_XCLBIN_IP_KERNEL, 4);
    put_number(b, 1u | (unsigned)u << 1, 4); /* interrupt u; control protocol 0 is hs */
    put_number(b, unit_address(u), 8);
    put_text(b, name, 64);
  }
}

static void write_clocks(buffer *b, const layout *l) {
  const uint64_t mhz = (uint64_t)(l->plan->image.clock_mhz + 0.5);
  put_number(b, 1, 2);
  put_number(b, mhz, 2);
  put_number(b, SYSTOLE_XCLBIN_CLOCK_DATA, 1);
  put_number(b, 0, 5);
  put_text(b, "DATA_CLK", 128);
}

static void write_image(buffer *b, const layout *l) {
  const systole_xclbin_image *image = &l->plan->image;
  print(b, "%sdim %d\narray %s\nmemory %s\nclock_mhz %g\n", SYSTOLE_XCLBIN_IMAGE,
        image->dim, image->readable ? "readable" : "flat", image->memory,
        image->clock_mhz);
}

/* ---- the file ------------------------------------------------------------------------
 */

static void write_header(buffer *b, const layout *l, int sections) {
  char platform[64];
  (void)snprintf(platform, sizeof platform, "%s%s", SYSTOLE_XCLBIN_SIMULATED,
                 l->plan->card->name);
  put(b, SYSTOLE_XCLBIN_MAGIC, 8);
  put_number(b, 0xFFFFFFFF, 4); /* not signed */
  for (int i = 0; i < 28; i++) put_number(b, 0xFF, 1);
  for (int i = 0; i < 256; i++) put_number(b, 0, 1); /* key block */
  put_number(b, 0, 8);  /* unique id, from the digest below */
  put_number(b, 0, 8);  /* length, below */
  put_number(b, 0, 16); /* times: equal plans, equal files */
  put_number(b, 0, 2);
  put_number(b, 2, 1), put_number(b, 1, 1); /* version 2.1.0 */
  put_number(b, 0, 4);                      /* mode 0: for a card; no actions */
  put_number(b, 0, 16);                     /* feature ROM */
  put_text(b, platform, 64);
  for (int i = 0; i < 32; i++) put_number(b, 0, 1); /* uuid below, debug file */
  put_number(b, (uint64_t)sections, 8);
}

systole_status systole_xclbin_make(uint8_t **data, uint64_t *bytes,
                                   const systole_xclbin_plan *plan) {
  layout l;
  buffer b = {NULL, 0, 0, 0};
  *data = NULL;
  *bytes = 0;
  systole_status status = read_link(&l, plan);
  if (status != SYSTOLE_OK) return status;

  static const struct {
    systole_xclbin_kind kind;
    const char *name;
  } kinds[] = {{SYSTOLE_XCLBIN_BITSTREAM, "image"},
               {SYSTOLE_XCLBIN_METADATA, "metadata"},
               {SYSTOLE_XCLBIN_BANKS, "mem_topology"},
               {SYSTOLE_XCLBIN_CONNECTIONS, "connectivity"},
               {SYSTOLE_XCLBIN_IPS, "ip_layout"},
               {SYSTOLE_XCLBIN_CLOCKS, "clock_freq"},
               {SYSTOLE_XCLBIN_GROUPS, "group_topology"},
               {SYSTOLE_XCLBIN_GROUP_CONNECTIONS, "group_connect"}};
  const int sections = (int)(sizeof kinds / sizeof kinds[0]);
  write_header(&b, &l, sections);
  for (int i = 0; i < sections * SYSTOLE_XCLBIN_ENTRY_BYTES; i++) put_number(&b, 0, 1);
  for (int i = 0; i < sections; i++) {
    while (b.used % 8 != 0 && !b.failed) put_number(&b, 0, 1);
    const size_t at = b.used;
    switch (kinds[i].kind) {
      case SYSTOLE_XCLBIN_BITSTREAM:
        write_image(&b, &l);
        break;
      case SYSTOLE_XCLBIN_METADATA:
        write_metadata(&b, &l);
        break;
      case SYSTOLE_XCLBIN_BANKS:
      case SYSTOLE_XCLBIN_GROUPS:
        write_banks(&b, &l, kinds[i].kind == SYSTOLE_XCLBIN_GROUPS);
        break;
      case SYSTOLE_XCLBIN_CONNECTIONS:
      case SYSTOLE_XCLBIN_GROUP_CONNECTIONS:
        write_connections(&b, &l, kinds[i].kind == SYSTOLE_XCLBIN_GROUP_CONNECTIONS);
        break;
      case SYSTOLE_XCLBIN_IPS:
        write_units(&b, &l);
        break;
      case SYSTOLE_XCLBIN_CLOCKS:
        write_clocks(&b, &l);
        break;
    }
    const size_t entry = SYSTOLE_XCLBIN_TABLE_AT + (size_t)i * SYSTOLE_XCLBIN_ENTRY_BYTES;
    poke(&b, entry, (uint64_t)kinds[i].kind, 4);
    if (!b.failed) memcpy(b.data + entry + 4, kinds[i].name, strlen(kinds[i].name));
    poke(&b, entry + 24, at, 8);
    poke(&b, entry + 32, b.used - at, 8);
  }
  while (b.used % 8 != 0 && !b.failed) put_number(&b, 0, 1);
  poke(&b, SYSTOLE_XCLBIN_LENGTH_AT, b.used, 8);
  if (b.failed) {
    free(b.data);
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine is out of memory");
  }
  /* Files that differ have different identities: XRT keeps what it knows by them. */
  uint8_t digest[SYSTOLE_SHA256_BYTES];
  systole_sha256_of(digest, b.data, b.used);
  memcpy(b.data + SYSTOLE_XCLBIN_UUID_AT, digest, 16);
  memcpy(b.data + SYSTOLE_XCLBIN_LENGTH_AT - 8, digest + 16, 8);
  *data = b.data;
  *bytes = b.used;
  return SYSTOLE_OK;
}
