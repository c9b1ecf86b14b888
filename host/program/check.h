/* What every unit checks before it starts: the same rules, on the host, so that a faulty
 * instruction has the same code here, in the hardware and in a test's interpreter. */
#ifndef SYSTOLE_PROGRAM_CHECK_H
#define SYSTOLE_PROGRAM_CHECK_H

#include "program/instruction.h"
#include "systole/systole.h"

/* SYSTOLE_ERROR_NONE or the first rule that is broken, in this order: version, opcode,
 * reserved bits, counts, unsupported, alignment, range. *detail (may be NULL) is what the
 * detail register holds. */
int systole_check_instruction(const systole_instruction *instruction,
                              const systole_geometry *geometry, uint32_t *detail);

/* The same for many instructions: which bits are reserved is worked out once. */
typedef struct systole_checker {
  const systole_geometry *geometry;
  systole_instruction masks[SYSTOLE_OP_END + 1]; /* by opcode */
} systole_checker;

/* `geometry` must outlive it. */
void systole_checker_make(systole_checker *out, const systole_geometry *geometry);
int systole_checker_check(const systole_checker *checker,
                          const systole_instruction *instruction, uint32_t *detail);

/* One sentence for an error register: "instruction 12 (MATMUL, array unit): accumulator
 * rows 2040 to 2100 are beyond the 2048 that exist". `instruction` is the failing one,
 * NULL when it is not known. */
void systole_error_sentence(char *out, size_t bytes, int code, int unit, uint32_t index,
                            uint32_t detail, const systole_instruction *instruction,
                            const systole_geometry *geometry);

#endif
