/*
 * Every kind of call frame rule, by hand, and code without any. Each function
 * says what it is there for; all of them call on, so that its rule is needed
 * for a caller as well as for the leaf.
 */

        .macro  begin name
        .type   \name, @function
\name:
        .cfi_startproc
        .endm

        .macro  end name
        .cfi_endproc
        .size   \name, . - \name
        .endm

        .text
        .globl  corpus_assembly
        begin   corpus_assembly
        pushq   %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset %rbx, -16
        pushq   %r13
        .cfi_def_cfa_offset 24
        .cfi_offset %r13, -24
        subq    $8, %rsp
        .cfi_def_cfa_offset 32
        call    by_rbx
        call    by_saved_chain
        call    by_register_rule
        call    by_expression
        call    by_val_rules
        call    by_nested_states
        call    by_odd_return
        call    bare_framed
        addq    $8, %rsp
        .cfi_def_cfa_offset 24
        popq    %r13
        .cfi_def_cfa_offset 16
        .cfi_restore %r13
        popq    %rbx
        .cfi_def_cfa_offset 8
        .cfi_restore %rbx
        ret
        end     corpus_assembly

/* Something to call that calls on, through code that saves what the callers'
 * CFAs are in. */
        begin   save_and_call
        pushq   %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset %rbx, -16
        pushq   %r13
        .cfi_def_cfa_offset 24
        .cfi_offset %r13, -24
        pushq   %r14
        .cfi_def_cfa_offset 32
        .cfi_offset %r14, -32
        xorl    %ebx, %ebx
        xorl    %r13d, %r13d
        xorl    %r14d, %r14d
        movl    $3, %edi
        call    corpus_leaf
        popq    %r14
        .cfi_def_cfa_offset 24
        .cfi_restore %r14
        popq    %r13
        .cfi_def_cfa_offset 16
        .cfi_restore %r13
        popq    %rbx
        .cfi_def_cfa_offset 8
        .cfi_restore %rbx
        ret
        end     save_and_call

/* The CFA in a callee-saved register. */
        begin   by_rbx
        pushq   %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset %rbx, -16
        movq    %rsp, %rbx
        .cfi_def_cfa_register %rbx
        andq    $-64, %rsp
        subq    $128, %rsp
        call    save_and_call
        movq    %rbx, %rsp
        .cfi_def_cfa_register %rsp
        popq    %rbx
        .cfi_def_cfa_offset 8
        .cfi_restore %rbx
        ret
        end     by_rbx

/* Twice in one stack, in another register: two recoveries in one walk. */
        begin   by_saved_chain
        pushq   %r13
        .cfi_def_cfa_offset 16
        .cfi_offset %r13, -16
        movq    %rsp, %r13
        .cfi_def_cfa_register %r13
        andq    $-32, %rsp
        subq    $32, %rsp
        call    by_rbx
        movq    %r13, %rsp
        .cfi_def_cfa_register %rsp
        popq    %r13
        .cfi_def_cfa_offset 8
        .cfi_restore %r13
        ret
        end     by_saved_chain

/* A register saved in another one; the frame pointer for something else. */
        begin   by_register_rule
        movq    %rbp, %r14
        .cfi_register %rbp, %r14
        xorl    %ebp, %ebp
        subq    $8, %rsp
        .cfi_def_cfa_offset 16
        call    save_and_call
        addq    $8, %rsp
        .cfi_def_cfa_offset 8
        movq    %r14, %rbp
        .cfi_restore %rbp
        ret
        end     by_register_rule

/* def_cfa_expression: *(rsp + 16) + 8, and a register by expression:
 * rbx at rsp + 8, with over, swap, drop and a branch on the way. */
        begin   by_expression
        movq    %rsp, %rax
        subq    $24, %rsp
        .cfi_def_cfa_offset 32
        movq    %rax, 16(%rsp)
        movq    %rbx, 8(%rsp)
        .cfi_escape 0x0f, 5, 0x77, 16, 0x06, 0x23, 8
        .cfi_escape 0x10, 3, 14, 0x12, 0x77, 8, 0x14, 0x13, 0x16, 0x13
        .cfi_escape 0x31, 0x28, 1, 0, 0x96, 0x23, 0
        xorl    %ebx, %ebx
        call    save_and_call
        movq    8(%rsp), %rbx
        .cfi_restore %rbx
        addq    $24, %rsp
        .cfi_def_cfa %rsp, 8
        ret
        end     by_expression

/* val_offset and val_expression, for registers a caller's CFA is in. */
        begin   by_val_rules
        pushq   %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset %rbx, -16
        movq    %rsp, %rbx
        .cfi_def_cfa_register %rbx
        call    lose_rbx
        movq    %rbx, %rsp
        .cfi_def_cfa_register %rsp
        popq    %rbx
        .cfi_def_cfa_offset 8
        .cfi_restore %rbx
        ret
        end     by_val_rules

/* Here rbx was the stack pointer before the call: the CFA. */
        begin   lose_rbx
        .cfi_escape 0x14, 3, 0
        xorl    %ebx, %ebx
        subq    $8, %rsp
        .cfi_def_cfa_offset 16
        call    save_and_call
        leaq    16(%rsp), %rbx
        .cfi_escape 0x16, 3, 2, 0x77, 16
        addq    $8, %rsp
        .cfi_def_cfa_offset 8
        .cfi_escape 0x16, 3, 2, 0x77, 8
        ret
        end     lose_rbx

/* States within states, and advances of every width. */
        begin   by_nested_states
        .cfi_remember_state
        pushq   %rax
        .cfi_def_cfa_offset 16
        .cfi_remember_state
        pushq   %rcx
        .cfi_def_cfa_offset 24
        .cfi_remember_state
        pushq   %rdx
        .cfi_def_cfa_offset 32
        call    save_and_call
        popq    %rdx
        .cfi_restore_state
        popq    %rcx
        .cfi_restore_state
        jmp     1f
        .skip   100000, 0x90
1:      popq    %rax
        .cfi_restore_state
        ret
        end     by_nested_states

/* The return address taken off the stack into a register, as vfork does. */
        begin   by_odd_return
        call    pop_return
        ret
        end     by_odd_return

        begin   pop_return
        popq    %rdi
        .cfi_def_cfa_offset 0
        .cfi_register %rip, %rdi
        nop
        nop
        pushq   %rdi
        .cfi_def_cfa_offset 8
        .cfi_offset %rip, -8
        ret
        end     pop_return

/* No CFI at all: between prologue and epilogue the frame pointer leads on. */
        .section bare_text, "ax", @progbits
        .type   bare_framed, @function
bare_framed:
        pushq   %rbp
        movq    %rsp, %rbp
        subq    $32, %rsp
        call    bare_inner
        leave
        ret
        .size   bare_framed, . - bare_framed

        .type   bare_inner, @function
bare_inner:
        pushq   %rbp
        movq    %rsp, %rbp
        movl    $5, %edi
        call    corpus_leaf
        popq    %rbp
        ret
        .size   bare_inner, . - bare_inner

        .section .note.GNU-stack, "", @progbits
