#include <criterion/criterion.h>
Test(program, x) { cr_assert(1); }
