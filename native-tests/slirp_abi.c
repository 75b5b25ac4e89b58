/*
 * What <slirp/libslirp.h> says about the structures that SlirpAbi.cs has, one field a line, for SlirpAbiTests:
 *
 *	STRUCT FIELD OFFSET BYTES
 *
 * Build: cc slirp_abi.c -o slirp_abi. Needs libslirp-dev, 4.1 or newer.
 */
#include <stddef.h>
#include <stdio.h>
#include <slirp/libslirp.h>

#define F(type, field) \
	printf("%s %s %zu %zu\n", #type, #field, offsetof(type, field), sizeof(((type *)0)->field));
#define CONFIG(field) F(SlirpConfig, field)
#define CALLBACK(field) F(SlirpCb, field)
#define CONST(name, value) printf("%s %s 0 %d\n", name, #value, value);

int main(void)
{
	CONFIG(version) CONFIG(restricted) CONFIG(in_enabled) CONFIG(vnetwork) CONFIG(vnetmask) CONFIG(vhost)
	CONFIG(in6_enabled) CONFIG(vprefix_addr6) CONFIG(vprefix_len) CONFIG(vhost6) CONFIG(vhostname)
	CONFIG(tftp_server_name) CONFIG(tftp_path) CONFIG(bootfile) CONFIG(vdhcp_start) CONFIG(vnameserver)
	CONFIG(vnameserver6) CONFIG(vdnssearch) CONFIG(vdomainname) CONFIG(if_mtu) CONFIG(if_mru)
	CONFIG(disable_host_loopback) CONFIG(enable_emu)
	CALLBACK(send_packet) CALLBACK(guest_error) CALLBACK(clock_get_ns) CALLBACK(timer_new) CALLBACK(timer_free)
	CALLBACK(timer_mod) CALLBACK(register_poll_fd) CALLBACK(unregister_poll_fd) CALLBACK(notify)
	CONST("SlirpPoll", SLIRP_POLL_IN) CONST("SlirpPoll", SLIRP_POLL_OUT) CONST("SlirpPoll", SLIRP_POLL_PRI)
	CONST("SlirpPoll", SLIRP_POLL_ERR) CONST("SlirpPoll", SLIRP_POLL_HUP)
	return 0;
}
