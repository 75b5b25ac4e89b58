/* How a fact of a header is printed, one a line; S is the structure being described. kvm_abi.c says what the lines are. */
#pragma once
#include <stddef.h>
#include <stdio.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

#define SIZE() printf("sizeof %s %zu\n", TEXT(S), sizeof(struct S));
#define F(path) \
	printf("field %s %s %zu %zu\n", TEXT(S), #path, offsetof(struct S, path), sizeof(((struct S *)0)->path));
#define CONST(name) printf("const %s %llu\n", #name, (unsigned long long)(name));
#define IOCTL(name) printf("ioctl %s 0x%lx\n", #name, (unsigned long)(name));
