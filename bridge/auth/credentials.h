/* credentials.h: what an Authorization header shows. For the files of this folder and its tests. */
#ifndef RB_AUTH_CREDENTIALS_H
#define RB_AUTH_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include "auth/auth.h"
#include "base/str.h"

enum credentials_form {
	CREDENTIALS_NONE,	/* no header, or one that cannot be read */
	CREDENTIALS_BEARER,
	CREDENTIALS_BASIC,
};

struct credentials {
	enum credentials_form form;
	struct str user;	/* of Basic */
	struct str secret;	/* the token, or the password */
	char space[AUTH_CREDENTIALS_MAX];	/* user and password, decoded */
};

/* Texts point into header or into out itself. */
void credentials_read(struct str header, struct credentials *out);
/* Overwrites what was decoded. */
void credentials_wipe(struct credentials *c);

#endif
