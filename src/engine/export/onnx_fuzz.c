/* onnx_fuzz.c - the input is a whole ONNX file; what is read is run, if that is quick. */
#include "base/mem.h"
#include "engine/export/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    enum { QUICK = 1 << 20 };
    struct program_result y[PROGRAM_OUTPUTS_MAX];
    struct program *program;
    struct err e;
    double elements = 0;

    if (onnx_read(&program, (str){(const char *)p, n}, &e) != RC_OK)
        return 0;
    for (int i = 0; i < program->value_count; i++)
        elements += (double)program_elements(&program->values[i]);
    if (elements < QUICK && program_work(program) < QUICK) {
        const size_t floats = (size_t)program_elements(&program->values[program->input]);
        float *x = mem_alloc_array(floats, sizeof *x);
        if (x && program_run(program, x, 1, y, &e) == RC_OK)
            for (int i = 0; i < program->output_count; i++)
                mem_free(y[i].data);
        mem_free(x);
    }
    program_free(program);
    return 0;
}
