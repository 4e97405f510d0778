package api

import "context"

func handleDescribeAccountKmsStatus(_ context.Context, c *Call) error {
	if err := c.authorizeContainer(); err != nil {
		return err
	}
	c.Answer.Text("AccountStatus", wordEnabled)
	return nil
}

func handleOpenKmsService(_ context.Context, c *Call) error {
	if err := c.authorizeContainer(); err != nil {
		return err
	}
	return newError(CodeForbiddenOpened)
}
